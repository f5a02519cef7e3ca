// autopaho (paho.golang, MQTT 5.0) against the broker at MQTT_PORT: it comes back by itself after the broker was gone.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

func fail(what string, err error) {
	fmt.Println(what, err)
	os.Exit(1)
}

func open(ctx context.Context, name string, heard chan *paho.Publish, up chan bool) *autopaho.ConnectionManager {
	server, _ := url.Parse("mqtt://127.0.0.1:" + os.Getenv("MQTT_PORT"))
	manager, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{server},
		KeepAlive:                     20,
		CleanStartOnInitialConnection: true,
		SessionExpiryInterval:         60,
		ReconnectBackoff:              func(int) time.Duration { return 200 * time.Millisecond },
		OnConnectionUp: func(manager *autopaho.ConnectionManager, ack *paho.Connack) {
			if !ack.SessionPresent {
				_, err := manager.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "go/" + name + "/#", QoS: 2}}})
				if err != nil {
					fail("subscribe", err)
				}
			}
			up <- ack.SessionPresent
		},
		ClientConfig: paho.ClientConfig{
			ClientID: "go-" + name,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(received paho.PublishReceived) (bool, error) {
				heard <- received.Packet
				return true, nil
			}},
		},
	})
	if err != nil {
		fail("connect", err)
	}
	return manager
}

func await[T any](what string, from chan T) T {
	select {
	case value := <-from:
		return value
	case <-time.After(30 * time.Second):
		fail("nothing came:", fmt.Errorf("%s", what))
		panic("unreachable")
	}
}

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	heard, up := make(chan *paho.Publish, 100), make(chan bool, 10)
	manager := open(ctx, "one", heard, up)
	await("the connection", up)
	for qos := byte(0); qos < 3; qos++ {
		if _, err := manager.Publish(ctx, &paho.Publish{Topic: "go/one/x", QoS: qos, Payload: []byte{qos}}); err != nil {
			fail("publish", err)
		}
		if message := await("a message", heard); message.QoS != qos || message.Payload[0] != qos {
			fail("wrong", fmt.Errorf("%v", message))
		}
	}
	if len(os.Args) > 1 && os.Args[1] == "restart" {
		// Whoever started this restarts the broker now.
		fmt.Println("ready")
		if !await("the second connection", up) {
			fail("the session", fmt.Errorf("was not there any more"))
		}
		if _, err := manager.Publish(ctx, &paho.Publish{Topic: "go/one/after", QoS: 2, Payload: []byte("after")}); err != nil {
			fail("publish", err)
		}
		if message := await("a message after the restart", heard); string(message.Payload) != "after" {
			fail("wrong", fmt.Errorf("%v", message))
		}
	}
	_ = manager.Disconnect(ctx)
	fmt.Println("ok")
}
