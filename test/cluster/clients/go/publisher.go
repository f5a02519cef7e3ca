package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publish sends until the channel ends (an error) or it is told to stop and everything has its fate (nil). All that the library says
// comes over channels without a buffer to this goroutine: a message that is returned is so before its confirm.
func (c *client) publish(channel *amqp.Channel) error {
	if err := channel.Confirm(false); err != nil {
		return err
	}
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation))
	returns := channel.NotifyReturn(make(chan amqp.Return))
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	c.announce()
	ids := map[uint64]int{}
	defer func() {
		// What stands in it at the end has no verdict.
		c.unsettled = nil
		for _, id := range ids {
			c.unsettled = append(c.unsettled, id)
		}
		slices.Sort(c.unsettled)
	}()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	began := time.Now()
	// Counted here: the library's own count is locked while it waits for us to take a confirm.
	sent := uint64(0)
	if c.Again {
		// All of them before the first is sent: the rest is not forgotten when this connection ends as well.
		for _, id := range c.unsettled {
			sent++
			ids[sent] = id
		}
		for _, id := range c.unsettled {
			if err := c.send(channel, id, confirms, returns, ids); err != nil {
				drain(confirms, returns)
				return err
			}
		}
	}
	stop := c.stop
	isStopping := false
	for !isStopping || len(ids) > 0 {
		due := c.Window
		if c.Rate > 0 {
			due = int(time.Since(began).Seconds()*c.Rate) - int(sent)
		}
		for ; !isStopping && due > 0 && len(ids) < c.Window; due-- {
			sent++
			c.lastID++
			ids[sent] = c.lastID
			if err := c.send(channel, c.lastID, confirms, returns, ids); err != nil {
				drain(confirms, returns)
				return err
			}
		}
		select {
		case confirmation, ok := <-confirms:
			if !ok {
				confirms = nil
				break
			}
			c.settle(ids, confirmation)
		case returned, ok := <-returns:
			if !ok {
				returns = nil
				break
			}
			c.returned(returned)
		case err := <-closed:
			drain(confirms, returns)
			if err == nil {
				return amqp.ErrClosed
			}
			return err
		case <-stop:
			isStopping, stop = true, nil
		case <-ticks.C:
		}
	}
	go drain(confirms, returns)
	return nil
}

// send publishes on a goroutine of its own and hears confirms meanwhile: whoever does neither while the other waits stands still.
func (c *client) send(
	channel *amqp.Channel, id int, confirms chan amqp.Confirmation, returns chan amqp.Return, ids map[uint64]int,
) error {
	isNobodys := c.UnroutableEvery > 0 && id%c.UnroutableEvery == 0
	queue := c.Queues[id%len(c.Queues)]
	shown := fmt.Sprintf("%q", queue)
	if isNobodys {
		queue, shown = "nobody."+c.Name, "null"
	}
	c.ledger.write("published", fmt.Sprintf(`"p":"%s","s":%d,"id":%d,"q":%s`, c.Name, c.connections, id, shown))
	message := amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		Body:         []byte(bodyOf(c.Name, c.connections, id, queue, c.Bytes)),
	}
	if c.Priorities > 0 {
		message.Priority = uint8(id % c.Priorities)
	}
	done := make(chan error, 1)
	go func() { done <- channel.PublishWithContext(context.Background(), "", queue, isNobodys, false, message) }()
	for {
		select {
		case err := <-done:
			return err
		case confirmation, ok := <-confirms:
			if !ok {
				return <-done
			}
			c.settle(ids, confirmation)
		case returned, ok := <-returns:
			if !ok {
				return <-done
			}
			c.returned(returned)
		}
	}
}

func (c *client) settle(ids map[uint64]int, confirmation amqp.Confirmation) {
	id, ok := ids[confirmation.DeliveryTag]
	if !ok {
		panic(fmt.Sprintf("a confirm of %d, which is not outstanding", confirmation.DeliveryTag))
	}
	delete(ids, confirmation.DeliveryTag)
	kind := "nacked"
	if confirmation.Ack {
		kind = "confirmed"
	}
	c.ledger.write(kind, fmt.Sprintf(`"p":"%s","id":%d`, c.Name, id))
}

func (c *client) returned(returned amqp.Return) {
	c.ledger.write("returned", fmt.Sprintf(`"p":"%s","id":%d`, c.Name, originOf(returned.Body).id))
}

// drain lets the library get rid of what it still has to say.
func drain(confirms chan amqp.Confirmation, returns chan amqp.Return) {
	go func() {
		for range returns {
		}
	}()
	if confirms != nil {
		go func() {
			for range confirms {
			}
		}()
	}
}
