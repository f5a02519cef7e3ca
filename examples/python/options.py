"""What every example shares: where the broker is, how options are read, and how long to wait before giving up."""
import argparse
import os
import signal
import sys

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672")


def read_options(**defaults):
    """Reads --name value options (an option whose default is False is a switch); what stands beside them is .rest."""
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        flag = "--" + name.replace("_", "-")
        if value is False:
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=type(value), default=value)
    parser.add_argument("rest", nargs="*")
    return parser.parse_args()


def give_up_after(seconds, what):
    """An example that waits for ever teaches nothing: after so many seconds it says what is missing and exits 1."""

    def give_up(*_):
        print(f"gave up after {seconds} s: {what}", file=sys.stderr)
        sys.stdout.flush()
        os._exit(1)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)


def say(text):
    """Prints at once, also into a pipe."""
    print(text, flush=True)


def fail(reason):
    """Ends the example with exit code 1 and a reason."""
    sys.exit(f"wrong: {reason}")
