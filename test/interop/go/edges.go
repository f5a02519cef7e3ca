package main

// What the broker refuses, takes away, and must not change; and what outlives it.

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

func channelError() {
	c := connect()
	c.queue(own("steady"))
	c.refused("NOT_FOUND - no queue '"+own("missing")+"'", func(channel *client) error {
		_, err := channel.QueueDeclarePassive(own("missing"), true, false, false, false, nil)
		return err
	})
	c.refused("PRECONDITION_FAILED - inequivalent arg 'durable'", func(channel *client) error {
		_, err := channel.QueueDeclare(own("steady"), false, false, false, false, nil)
		return err
	})
	c.refused("NOT_FOUND - no exchange '"+own("missing")+"'", func(channel *client) error {
		return channel.publish(own("missing"), "", false, amqp.Publishing{})
	})
	c.refused("ACCESS_REFUSED", func(channel *client) error {
		_, err := channel.QueueDeclare("amq.mine", true, false, false, false, nil)
		return err
	})
	// The errors closed their channels; this one never noticed.
	c.send("", own("steady"), "still here")
	same(string(c.get(own("steady")).Body), "still here")
	got(c.QueueDelete(own("steady"), false, false, false))
}

func cancelNotify() {
	c, other := connect(), connect()
	c.queue(own("doomed"))
	cancelled := c.NotifyCancel(make(chan string, 1))
	c.consume(own("doomed"), false)
	same(other.queue(own("doomed")).Consumers, 1)
	got(other.QueueDelete(own("doomed"), false, false, false))
	same(<-cancelled, "consumer of "+own("doomed"))
}

func headerTypes() {
	c := connect()
	name := c.ownQueue("", nil)
	headers := amqp.Table{
		"text": "grüße, 世界", "empty": "", "yes": true, "no": false,
		"byte": int8(-7), "unsigned byte": uint8(200), "short": int16(-300), "small": int32(7), "negative": int32(-5),
		"large": int64(1) << 40, "single": float32(0.5), "fraction": float64(1.5),
		"decimal": amqp.Decimal{Scale: 2, Value: 314}, "bytes": []byte{0, 1, 255}, "nothing": nil,
		"table": amqp.Table{"a": amqp.Table{"b": amqp.Table{"c": "deep"}}},
		"list":  []any{int32(1), "two", []any{int32(3), false}, amqp.Table{"four": int32(4)}},
		"long":  strings.Repeat("x", 5000),
	}
	must(c.publish("", name, false, amqp.Publishing{Headers: headers}))
	message := c.get(name)
	same(message.Headers, headers)
	same(len(message.Body), 0)
}

func survivalLeave() {
	c := connect()
	c.exchange(own("lasting"), "direct", true)
	c.queue(own("survivors"))
	must(c.QueueBind(own("survivors"), "key", own("lasting"), false, nil))
	for _, body := range []string{"one", "two", "three"} {
		must(c.publish(own("lasting"), "key", false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Headers: amqp.Table{"body": body}, Body: []byte(body),
		}))
		c.send(own("lasting"), "key", "transient")
	}
}

func survivalCheck() {
	c := connect()
	look := got(c.QueueDeclarePassive(own("survivors"), true, false, false, false, nil))
	same(look.Messages, 3) // the persistent three, and no transient one
	for _, body := range []string{"one", "two", "three"} {
		message := c.get(own("survivors"))
		same([]any{string(message.Body), message.Headers["body"], message.DeliveryMode}, []any{body, body, amqp.Persistent})
		must(message.Ack(false))
	}
	c.send(own("lasting"), "key", "again") // the binding is there too
	same(string(c.get(own("survivors")).Body), "again")
	got(c.QueueDelete(own("survivors"), false, false, false))
	must(c.ExchangeDelete(own("lasting"), false, false))
}
