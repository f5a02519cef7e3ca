// A publisher or a consumer with amqp091-go; see ../README.md.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// work is what the program is told to do: Work in ../../client-program.ts.
type work struct {
	Role            string
	Name            string
	Hosts           []string
	First           int
	User            string
	Password        string
	Queues          []string
	Ledger          string
	Rate            float64
	Window          int
	Bytes           int
	UnroutableEvery int
	Prefetch        int
	Heartbeat       int
	Again           bool
	Priorities      int
	RestSeconds     int64
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

type client struct {
	work
	ledger      *ledger
	stop        chan struct{}
	connections int
	lastID      int
	unsettled   []int
	isAnnounced bool
}

func main() {
	c := &client{stop: make(chan struct{})}
	if err := json.Unmarshal([]byte(os.Args[1]), &c.work); err != nil {
		panic(err)
	}
	c.ledger = openLedger(c.Ledger)
	go c.listen()
	c.live()
	c.ledger.close()
}

func (c *client) listen() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "stop":
			close(c.stop)
		case "leave":
			c.ledger.close()
			os.Exit(0)
		}
	}
}

func (c *client) isStopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// live goes from node to node until it is told to stop.
func (c *client) live() {
	pause := firstPause
	for at := c.First; !c.isStopping(); at++ {
		address := c.Hosts[at%len(c.Hosts)]
		err := c.stay(address)
		if err == nil {
			pause = firstPause
			continue
		}
		c.ledger.trouble("trouble", address+": "+err.Error())
		select {
		case <-c.stop:
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// stay works with one node until the connection ends.
func (c *client) stay(address string) error {
	url := fmt.Sprintf("amqp://%s:%s@%s/", c.User, c.Password, address)
	connection, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: time.Duration(c.Heartbeat) * time.Second,
		Dial: func(network, addr string) (net.Conn, error) {
			socket, err := net.DialTimeout(network, addr, 3*time.Second)
			if err == nil {
				err = socket.SetDeadline(time.Now().Add(5 * time.Second))
			}
			return socket, err
		},
	})
	if err != nil {
		return err
	}
	// A node that stands still is left without a goodbye.
	defer func() {
		_ = connection.CloseDeadline(time.Now().Add(2 * time.Second))
	}()
	c.connections++
	c.ledger.trouble("connected", address)
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if c.Role == "publisher" {
		return c.publish(channel)
	}
	return c.consume(channel)
}

func (c *client) announce() {
	if !c.isAnnounced {
		fmt.Println("ready")
	}
	c.isAnnounced = true
}
