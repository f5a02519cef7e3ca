import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Plays one scenario with the Java client: AMQP_URL=... java Interop SCENARIO. Exits 0 when all came as it should. The names
 * stand in ../scenarios.ts.
 */
public final class Interop {
  interface Scenario {
    void play() throws Exception;
  }

  static final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  public static void main(String[] arguments) {
    Working.register(scenarios);
    Routing.register(scenarios);
    Talking.register(scenarios);
    Edges.register(scenarios);
    Queues.register(scenarios);
    Scenario scenario = arguments.length == 1 ? scenarios.get(arguments[0]) : null;
    if (scenario == null) {
      System.err.println("say which scenario");
      System.exit(2);
    }
    watch();
    try {
      scenario.play();
      Client.closeAll();
      System.out.println("ok");
    } catch (Throwable failure) {
      failure.printStackTrace();
      System.exit(1);
    }
    System.exit(0);
  }

  /** A scenario that hangs is a scenario that failed. */
  private static void watch() {
    Thread watch = new Thread(() -> {
      try {
        Thread.sleep(60_000);
      } catch (InterruptedException interrupted) {
        return;
      }
      System.err.println("it took longer than 60 s");
      System.exit(1);
    });
    watch.setDaemon(true);
    watch.start();
  }
}
