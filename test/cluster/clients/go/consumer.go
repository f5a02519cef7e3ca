package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type arrival struct {
	queue    string
	delivery amqp.Delivery
	isOver   bool
}

// consume takes and accepts until the channel ends, a consumer is cancelled, or it is told to stop.
func (c *client) consume(channel *amqp.Channel) error {
	if err := channel.Qos(c.Prefetch, 0, false); err != nil {
		return err
	}
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := channel.NotifyCancel(make(chan string, len(c.Queues)))
	arrivals := make(chan arrival)
	gone := make(chan struct{})
	defer close(gone)
	for _, queue := range c.Queues {
		deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			return err
		}
		go forward(queue, deliveries, arrivals, gone)
	}
	c.ledger.trouble("attached", strings.Join(c.Queues, " "))
	c.announce()
	var held []arrival
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case arrived := <-arrivals:
			c.note(arrived)
			held = append(held, arrived)
			if c.isResting() {
				break
			}
			if err := c.accept(held); err != nil {
				return err
			}
			held = nil
		case <-ticks.C:
			if c.isResting() {
				break
			}
			if err := c.accept(held); err != nil {
				return err
			}
			held = nil
		case tag := <-cancelled:
			c.ledger.trouble("cancelled", tag)
			time.Sleep(firstPause)
			return nil
		case err := <-closed:
			if err == nil {
				return errors.New("the channel was closed")
			}
			return err
		case <-c.stop:
			return c.accept(held)
		}
	}
}

func forward(queue string, deliveries <-chan amqp.Delivery, arrivals chan arrival, gone chan struct{}) {
	for delivery := range deliveries {
		select {
		case arrivals <- arrival{queue: queue, delivery: delivery}:
		case <-gone:
		}
	}
}

func (c *client) isResting() bool {
	return c.RestSeconds > 0 && time.Now().Unix()/c.RestSeconds%2 == 1
}

func (c *client) note(arrived arrival) {
	origin := originOf(arrived.delivery.Body)
	c.ledger.write("delivered", fmt.Sprintf(
		`"c":"%s","s":%d,"q":"%s","p":"%s","ps":%d,"id":%d,"r":%t,"ok":%t`,
		c.Name, c.connections, arrived.queue, origin.publisher, origin.connection, origin.id,
		arrived.delivery.Redelivered, origin.isWhole))
}

func (c *client) accept(all []arrival) error {
	for _, arrived := range all {
		if err := arrived.delivery.Ack(false); err != nil {
			return err
		}
		origin := originOf(arrived.delivery.Body)
		c.ledger.write("acked", fmt.Sprintf(`"c":"%s","s":%d,"p":"%s","id":%d`, c.Name, c.connections, origin.publisher, origin.id))
	}
	return nil
}
