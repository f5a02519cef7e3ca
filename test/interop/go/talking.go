package main

// Questions with answers, and chats.

import (
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

func startAdder() {
	server := connect()
	got(server.QueueDelete("rpc_queue", false, false, false))
	got(server.QueueDeclare("rpc_queue", false, false, false, false, nil))
	server.prefetch(1)
	serve(server.consume("rpc_queue", false), func(question amqp.Delivery) {
		n := got(strconv.Atoi(string(question.Body)))
		answer := amqp.Publishing{CorrelationId: question.CorrelationId, Body: []byte(strconv.Itoa(n + 1))}
		must(server.publish("", question.ReplyTo, false, answer))
	})
}

func askAdder(c *client, replyTo string) {
	answers := c.consume(replyTo, true)
	asked := map[string]int{"first": 1, "second": 41, "third": 1000000}
	for id, n := range asked {
		question := amqp.Publishing{CorrelationId: id, ReplyTo: replyTo, Body: []byte(strconv.Itoa(n))}
		must(c.publish("", "rpc_queue", false, question))
	}
	for len(asked) > 0 {
		answer := next(answers)
		n, known := asked[answer.CorrelationId]
		same(known, true)
		same(string(answer.Body), strconv.Itoa(n+1))
		delete(asked, answer.CorrelationId)
	}
	got(c.QueueDelete("rpc_queue", false, false, false))
}

func rpcReplyQueue() {
	startAdder()
	c := connect()
	askAdder(c, c.ownQueue("", nil))
}

func rpcDirectReplyTo() {
	startAdder()
	askAdder(connect(), "amq.rabbitmq.reply-to")
}

// chatter is a person in a chat; the test has made the users alice and bob, with the password "secret".
type chatter struct {
	*client
	user, queue string
	inbox       <-chan amqp.Delivery
}

func newChatter(user string) *chatter {
	c := connectAs(user, "secret")
	c.exchange(own("rooms"), "direct", false)
	queue := c.ownQueue("", nil)
	return &chatter{c, user, queue, c.consume(queue, true)}
}

func (c *chatter) join(room string) { must(c.QueueBind(c.queue, room, own("rooms"), false, nil)) }

func (c *chatter) leave(room string) { must(c.QueueUnbind(c.queue, room, own("rooms"), nil)) }

func (c *chatter) say(room, text string) {
	must(c.publish(own("rooms"), room, false, amqp.Publishing{UserId: c.user, Body: []byte(text)}))
}

func (c *chatter) hears(line string) {
	message := next(c.inbox)
	same(fmt.Sprintf("[%s] %s: %s", message.RoutingKey, message.UserId, message.Body), line)
}

func chatRooms() {
	alice, bob := newChatter("alice"), newChatter("bob")
	alice.join("kitchen")
	bob.join("garden")
	alice.say("kitchen", "anybody?")
	alice.hears("[kitchen] alice: anybody?")

	bob.leave("garden")
	bob.join("kitchen")
	alice.say("garden", "and here?")
	bob.say("kitchen", "me")
	alice.hears("[kitchen] bob: me")
	bob.hears("[kitchen] bob: me")

	alice.refused("PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'",
		func(channel *client) error {
			return channel.publish(own("rooms"), "kitchen", false, amqp.Publishing{UserId: "bob", Body: []byte("I am a fool")})
		})

	bob.leave("kitchen")
	alice.say("kitchen", "gone?")
	alice.hears("[kitchen] alice: gone?")
	nothingMore(bob.inbox)
	must(alice.ExchangeDelete(own("rooms"), false, false))
}

func chatForAll() {
	people := []*client{connect(), connect(), connect()}
	inboxes := []<-chan amqp.Delivery{}
	for _, person := range people {
		person.exchange(own("all"), "fanout", false)
		inboxes = append(inboxes, person.consume(person.ownQueue(own("all"), nil, ""), true))
	}
	for number, person := range people {
		hello := amqp.Publishing{UserId: "guest", Body: []byte(fmt.Sprintf("hello from %d", number))}
		must(person.publish(own("all"), "ignored", false, hello))
	}
	for _, inbox := range inboxes {
		for number := range people {
			message := next(inbox)
			same([]string{message.UserId, string(message.Body)}, []string{"guest", fmt.Sprintf("hello from %d", number)})
		}
	}
	must(people[0].ExchangeDelete(own("all"), false, false))
}
