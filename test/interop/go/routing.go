package main

// Who gets a message: fanout, topics, headers, and nobody at all.

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

func logFanout() {
	anna, ben, writer := connect(), connect(), connect()
	writer.exchange(own("log"), "fanout", false)
	queues := []string{}
	heard := []<-chan amqp.Delivery{}
	for _, listener := range []*client{anna, ben} {
		name := listener.ownQueue(own("log"), nil, "")
		if !strings.HasPrefix(name, "amq.gen-") {
			panic("the broker chose the name " + name)
		}
		queues = append(queues, name)
		heard = append(heard, listener.consume(name, true))
	}
	if queues[0] == queues[1] {
		panic("both have the same queue")
	}
	lines := []string{"one", "two", "three"}
	for _, line := range lines {
		writer.send(own("log"), "", line)
	}
	for _, deliveries := range heard {
		same(bodies(deliveries, 3), lines)
	}

	// Exclusive: nobody else may even look at it while its owner lives, and it is gone when the owner is.
	look := func(name string) func(*client) error {
		return func(channel *client) error {
			_, err := channel.QueueDeclarePassive(name, false, false, false, false, nil)
			return err
		}
	}
	writer.refused("RESOURCE_LOCKED", look(queues[0]))
	must(anna.connection.Close())
	must(ben.connection.Close())
	for _, name := range queues {
		writer.refused("NOT_FOUND", look(name))
	}
	must(writer.ExchangeDelete(own("log"), false, false))
}

func topicLogs() {
	c := connect()
	c.exchange(own("topic"), "topic", false)
	listen := func(patterns ...string) <-chan amqp.Delivery {
		return c.consume(c.ownQueue(own("topic"), nil, patterns...), true)
	}
	idle, busy := listen("#.notImportant"), listen("*.*.important")
	both := listen("#.notImportant", "*.*.important", "#")
	keys := strings.Fields(`notImportant a.notImportant a.b.c.d.notImportant notImportant.a important a.important
		a.b.important a.b.c.important ..important a.b.notImportant c.d.important`)
	for _, key := range keys {
		c.send(own("topic"), key, key)
	}
	same(bodies(both, len(keys)), keys)
	same(bodies(idle, 4), strings.Fields("notImportant a.notImportant a.b.c.d.notImportant a.b.notImportant"))
	same(bodies(busy, 3), strings.Fields("a.b.important ..important c.d.important"))
	must(c.ExchangeDelete(own("topic"), false, false))
}

func headersAnyAll() {
	c := connect()
	c.exchange(own("headers"), "headers", false)
	listen := func(match string) <-chan amqp.Delivery {
		table := amqp.Table{"x-match": match, "format": "pdf", "pages": int32(2)}
		return c.consume(c.ownQueue(own("headers"), table, ""), true)
	}
	all, some := listen("all"), listen("any")
	messages := []struct {
		body    string
		headers amqp.Table
	}{
		{"neither", amqp.Table{"format": "txt", "pages": int32(3)}},
		{"format", amqp.Table{"format": "pdf"}},
		{"pages", amqp.Table{"format": "txt", "pages": int32(2)}},
		{"none", amqp.Table{}},
		{"both", amqp.Table{"format": "pdf", "pages": int32(2), "more": true}},
	}
	for _, message := range messages {
		must(c.publish(own("headers"), "", false, amqp.Publishing{Body: []byte(message.body), Headers: message.headers}))
	}
	same(bodies(all, 1), []string{"both"})
	same(bodies(some, 3), []string{"format", "pages", "both"})
	must(c.ExchangeDelete(own("headers"), false, false))
}

func mandatoryReturn() {
	c := connect()
	returns := c.NotifyReturn(make(chan amqp.Return, 1))
	must(c.publish("", own("nobody"), true, amqp.Publishing{Body: []byte("lost?")}))
	// It stands here already, since the broker returns before it confirms.
	select {
	case back := <-returns:
		same([]any{back.ReplyCode, back.ReplyText, string(back.Body)}, []any{uint16(312), "NO_ROUTE", "lost?"})
	default:
		panic("the confirm came without, or before, the return")
	}
	c.send("", own("nobody"), "dropped")
	name := c.ownQueue("", nil)
	must(c.publish("", name, true, amqp.Publishing{Body: []byte("found")}))
	same(len(returns), 0)
	same(string(c.get(name).Body), "found")
}
