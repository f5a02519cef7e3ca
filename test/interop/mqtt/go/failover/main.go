// autopaho with a list of nodes (ServerUrls); what it is told and tells: test/cluster/clients/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
)

type work struct {
	Name   string   `json:"name"`
	Hosts  []string `json:"hosts"`
	Rate   int      `json:"rate"`
	Ledger string   `json:"ledger"`
}

type entry map[string]any

var (
	told   work
	ledger *os.File
	guard  sync.Mutex
)

func write(what entry) {
	what["t"] = time.Now().UnixMilli()
	line, _ := json.Marshal(what)
	guard.Lock()
	defer guard.Unlock()
	_, _ = ledger.Write(append(line, '\n'))
}

func fail(what string, err error) {
	fmt.Println(what, err)
	os.Exit(1)
}

func open(ctx context.Context, role string, up chan bool) *autopaho.ConnectionManager {
	var servers []*url.URL
	for _, host := range told.Hosts {
		server, _ := url.Parse("mqtt://" + host)
		servers = append(servers, server)
	}
	manager, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:            servers,
		KeepAlive:             30,
		SessionExpiryInterval: 600,
		ConnectTimeout:        10 * time.Second,
		ReconnectBackoff:      func(int) time.Duration { return 200 * time.Millisecond },
		ConnectUsername:       "guest",
		ConnectPassword:       []byte("guest"),
		OnConnectError:        func(err error) { write(entry{"e": "trouble", "role": role, "text": err.Error()}) },
		OnConnectionUp: func(_ *autopaho.ConnectionManager, ack *paho.Connack) {
			write(entry{"e": "connected", "role": role, "present": ack.SessionPresent, "text": ""})
			select {
			case up <- true:
			default:
			}
		},
		ClientConfig: paho.ClientConfig{
			ClientID: told.Name + "-" + role,
			// A publish waits for its acknowledgement over as many connections as that takes.
			PacketTimeout: 90 * time.Second,
			OnClientError: func(err error) { write(entry{"e": "trouble", "role": role, "text": err.Error()}) },
			OnServerDisconnect: func(packet *paho.Disconnect) {
				write(entry{"e": "told", "role": role, "reason": packet.ReasonCode})
			},
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){heard},
		},
	})
	if err != nil {
		fail("connect", err)
	}
	return manager
}

func heard(received paho.PublishReceived) (bool, error) {
	var publisher string
	var id, sent int
	_, _ = fmt.Sscan(string(received.Packet.Payload), &publisher, &id, &sent)
	packet := received.Packet
	write(entry{"e": "heard", "c": told.Name, "p": publisher, "id": id, "sent": sent, "qos": packet.QoS, "dup": packet.Duplicate()})
	return true, nil
}

// One after the other: Publish waits for the acknowledgement.
func publish(ctx context.Context, manager *autopaho.ConnectionManager, isStopping *atomic.Bool) {
	for id := 1; !isStopping.Load(); id++ {
		sent := 1 + id%2
		write(entry{"e": "published", "p": told.Name, "id": id, "sent": sent})
		message := &paho.Publish{
			Topic: fmt.Sprintf("failover/%d/%s", sent, told.Name), QoS: byte(sent), Payload: fmt.Appendf(nil, "%s %d %d", told.Name, id, sent),
		}
		for {
			_, err := manager.Publish(ctx, message)
			if err == nil {
				write(entry{"e": "confirmed", "p": told.Name, "id": id})
				break
			}
			// Nothing was sent, nor kept to be sent: it is tried again.
			if errors.Is(err, autopaho.ConnectionDownError) || errors.Is(err, session.ErrNoConnection) {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			write(entry{"e": "trouble", "role": "pub", "text": fmt.Sprintf("%d: %v", id, err)})
			break
		}
		time.Sleep(time.Second / time.Duration(told.Rate))
	}
	write(entry{"e": "done"})
}

func main() {
	if err := json.Unmarshal([]byte(os.Args[1]), &told); err != nil {
		fail("the argument", err)
	}
	file, err := os.Create(told.Ledger)
	if err != nil {
		fail("the ledger", err)
	}
	ledger = file
	ctx := context.Background()
	subscribed, connected := make(chan bool, 1), make(chan bool, 1)
	subscriber := open(ctx, "sub", subscribed)
	publisher := open(ctx, "pub", connected)
	<-subscribed
	<-connected
	_, err = subscriber.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{
		{Topic: "failover/1/#", QoS: 1}, {Topic: "failover/2/#", QoS: 2},
	}})
	if err != nil {
		fail("subscribe", err)
	}
	fmt.Println("ready")
	var isStopping atomic.Bool
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "go":
			go publish(ctx, publisher, &isStopping)
		case "stop":
			isStopping.Store(true)
		case "leave":
			return
		}
	}
}
