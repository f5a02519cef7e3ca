package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// client is one connection and one channel in confirm mode. What should not fail ends the program when it does.
type client struct {
	connection *amqp.Connection
	*amqp.Channel
	closed chan *amqp.Error
}

var connections []*amqp.Connection

// underWay counts the messages that workers have in hand; the end waits for them.
var underWay sync.WaitGroup

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func same(found, wanted any) {
	if !reflect.DeepEqual(found, wanted) {
		panic(fmt.Sprintf("wanted %#v, found %#v", wanted, found))
	}
}

func own(name string) string { return "amqp091-go." + name }

func connect() *client { return connectAs("", "") }

func connectAs(user, password string) *client {
	address := got(url.Parse(os.Getenv("AMQP_URL")))
	if user != "" {
		address.User = url.UserPassword(user, password)
	}
	connection := got(amqp.Dial(address.String()))
	connections = append(connections, connection)
	return openChannel(connection)
}

func openChannel(connection *amqp.Connection) *client {
	channel := got(connection.Channel())
	must(channel.Confirm(false))
	return &client{connection, channel, channel.NotifyClose(make(chan *amqp.Error, 1))}
}

func closeAll() {
	underWay.Wait()
	for _, connection := range connections {
		_ = connection.Close()
	}
}

func (c *client) queue(name string) amqp.Queue {
	return got(c.QueueDeclare(name, true, false, false, false, nil))
}

// ownQueue is exclusive, named by the broker, and bound with each key.
func (c *client) ownQueue(exchange string, table amqp.Table, keys ...string) string {
	name := got(c.QueueDeclare("", false, false, true, false, nil)).Name
	for _, key := range keys {
		must(c.QueueBind(name, key, exchange, false, table))
	}
	return name
}

func (c *client) exchange(name, kind string, durable bool) {
	must(c.ExchangeDeclare(name, kind, durable, false, false, false, nil))
}

func (c *client) prefetch(count int) { must(c.Qos(count, 0, false)) }

// publish returns when the broker has confirmed it, or has closed the channel over it.
func (c *client) publish(exchange, key string, mandatory bool, message amqp.Publishing) error {
	timeout, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	confirmation := got(c.PublishWithDeferredConfirmWithContext(timeout, exchange, key, mandatory, false, message))
	select {
	case <-confirmation.Done():
		if confirmation.Acked() {
			return nil
		}
		// When the channel is closed, the library counts what was unconfirmed as refused.
		select {
		case reason := <-c.closed:
			return reason
		case <-time.After(time.Second):
			return fmt.Errorf("the broker refused the message")
		}
	case reason := <-c.closed:
		return reason
	case <-timeout.Done():
		return timeout.Err()
	}
}

func (c *client) send(exchange, key, body string) {
	must(c.publish(exchange, key, false, amqp.Publishing{Body: []byte(body)}))
}

func (c *client) consume(queue string, noAck bool) <-chan amqp.Delivery {
	return got(c.Consume(queue, "consumer of "+queue, noAck, false, false, false, nil))
}

func (c *client) get(queue string) *amqp.Delivery {
	delivery, ok, err := c.Get(queue, false)
	must(err)
	if !ok {
		return nil
	}
	return &delivery
}

func next(deliveries <-chan amqp.Delivery) amqp.Delivery {
	select {
	case delivery, ok := <-deliveries:
		if !ok {
			panic("the consumer was closed")
		}
		return delivery
	case <-time.After(10 * time.Second):
		panic("no further message came within 10 s")
	}
}

// serve lets a worker handle what comes, in the background.
func serve(deliveries <-chan amqp.Delivery, handle func(amqp.Delivery)) {
	go func() {
		for delivery := range deliveries {
			underWay.Add(1)
			handle(delivery)
			must(delivery.Ack(false))
			underWay.Done()
		}
	}()
}

func bodies(deliveries <-chan amqp.Delivery, count int) []string {
	found := []string{}
	for len(found) < count {
		found = append(found, string(next(deliveries).Body))
	}
	return found
}

func nothingMore(deliveries <-chan amqp.Delivery) {
	select {
	case delivery := <-deliveries:
		panic(fmt.Sprintf("%q should not have come", delivery.Body))
	default:
	}
}

// refused runs attempt on a channel of its own, which the broker is expected to close with that text.
func (c *client) refused(text string, attempt func(channel *client) error) {
	err := attempt(openChannel(c.connection))
	if err == nil || !strings.Contains(err.Error(), text) {
		panic(fmt.Sprintf("wanted %q, found %v", text, err))
	}
}

func eventually(condition func() bool) {
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("it did not happen within 10 s")
		}
	}
}
