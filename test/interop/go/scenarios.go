package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

const taskCount = 5

func sendTasks(c *client, queue string) {
	c.queue(queue)
	for number := 1; number <= taskCount; number++ {
		must(c.publish("", queue, true, amqp.Publishing{
			DeliveryMode: amqp.Persistent,
			ContentType:  "text/plain",
			Body:         []byte(fmt.Sprintf("task %d", number)),
			Headers: amqp.Table{
				"number": int32(number), "colour": "red", "nested": amqp.Table{"deep": []any{int32(1), "two", true}},
			},
		}))
	}
}

// Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes.
func workThroughTasks(worker, watcher *client, deliveries <-chan amqp.Delivery, queue string) {
	for number := 1; number <= taskCount; number++ {
		task := next(deliveries)
		same(string(task.Body), fmt.Sprintf("task %d", number))
		same(task.DeliveryMode, amqp.Persistent)
		same(task.ContentType, "text/plain")
		same(task.Headers, amqp.Table{
			"number": int32(number), "colour": "red", "nested": amqp.Table{"deep": []any{int32(1), "two", true}},
		})
		look := got(watcher.QueueDeclarePassive(queue, true, false, false, false, nil))
		same([]int{look.Messages, look.Consumers}, []int{taskCount - number, 1})
		nothingMore(deliveries)
		must(task.Ack(false))
	}
	must(worker.Cancel("consumer of "+queue, false))
	got(worker.QueueDelete(queue, false, false, false))
}

func tasksSenderFirst() {
	sendTasks(connect(), own("tasks"))
	worker := connect()
	worker.prefetch(1)
	workThroughTasks(worker, connect(), worker.consume(own("tasks"), false), own("tasks"))
}

func tasksReceiverFirst() {
	worker, sender := connect(), connect()
	worker.queue(own("tasks"))
	worker.prefetch(1)
	deliveries := worker.consume(own("tasks"), false)
	sendTasks(sender, own("tasks"))
	workThroughTasks(worker, sender, deliveries, own("tasks"))
}

func shareEvenly() {
	anna, ben, sender := connect(), connect(), connect()
	anna.queue(own("shared"))
	workers := []<-chan amqp.Delivery{anna.consume(own("shared"), true), ben.consume(own("shared"), true)}
	for number := 0; number < 20; number++ {
		sender.send("", own("shared"), strconv.Itoa(number))
	}
	for parity, deliveries := range workers {
		wanted := []string{}
		for number := parity; number < 20; number += 2 {
			wanted = append(wanted, strconv.Itoa(number))
		}
		same(bodies(deliveries, 10), wanted)
	}
	got(sender.QueueDelete(own("shared"), false, false, false))
}

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

func (c *chatter) join(room string)  { must(c.QueueBind(c.queue, room, own("rooms"), false, nil)) }
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

func imageUpload() {
	uploader := connect()
	uploader.exchange(own("images"), "fanout", true)
	replyTo := uploader.ownQueue("", nil)
	answers := uploader.consume(replyTo, true)
	queues := []string{own("faces"), own("thumbnails")}
	for _, queue := range queues {
		worker := connect()
		worker.queue(queue)
		must(worker.QueueBind(queue, "", own("images"), false, nil))
		serve(worker.consume(queue, false), func(image amqp.Delivery) {
			worker.send("", image.ReplyTo, fmt.Sprintf("%s %x", queue, sha256.Sum256(image.Body)))
		})
	}
	// More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
	for _, size := range []int{102400, 131064, 131072, 300001} {
		image := make([]byte, size)
		got(rand.Read(image))
		must(uploader.publish(own("images"), "", false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, ReplyTo: replyTo, ContentType: "application/octet-stream", Body: image,
		}))
		found := bodies(answers, 2)
		sort.Strings(found)
		digest := fmt.Sprintf("%x", sha256.Sum256(image))
		same(found, []string{queues[0] + " " + digest, queues[1] + " " + digest})
	}
	for _, queue := range queues {
		got(uploader.QueueDelete(queue, false, false, false))
	}
	must(uploader.ExchangeDelete(own("images"), false, false))
}

func killedConsumer() {
	sender := connect()
	sender.queue(own("jobs"))
	sender.send("", own("jobs"), "one")
	sender.send("", own("jobs"), "two")

	child := exec.Command(got(os.Executable()), "victim")
	child.Stderr = os.Stderr
	output := bufio.NewReader(got(child.StdoutPipe()))
	must(child.Start())
	same(got(output.ReadString('\n')), "holds one, redelivered false\n")
	must(child.Process.Kill())
	_ = child.Wait()

	eventually(func() bool {
		return got(sender.QueueDeclarePassive(own("jobs"), true, false, false, false, nil)).Messages == 2
	})
	deliveries := connect().consume(own("jobs"), false)
	first, second := next(deliveries), next(deliveries)
	same([]any{string(first.Body), first.Redelivered}, []any{"one", true})
	same([]any{string(second.Body), second.Redelivered}, []any{"two", false})
	must(second.Ack(true))
	got(sender.QueueDelete(own("jobs"), false, false, false))
}

// victim holds one message until it is killed; a part of killedConsumer.
func victim() {
	c := connect()
	c.prefetch(1)
	message := next(c.consume(own("jobs"), false))
	fmt.Printf("holds %s, redelivered %t\n", message.Body, message.Redelivered)
	select {}
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

func publisherConfirms() {
	c := connect()
	c.queue(own("confirmed"))
	confirmations := []*amqp.DeferredConfirmation{}
	for number := 0; number < 1000; number++ {
		message := amqp.Publishing{DeliveryMode: uint8(1 + number%2), Body: []byte(strconv.Itoa(number))}
		confirmations = append(confirmations, got(c.PublishWithDeferredConfirm("", own("confirmed"), false, false, message)))
	}
	for _, confirmation := range confirmations {
		same(confirmation.Wait(), true)
	}
	same(got(c.QueueDeclarePassive(own("confirmed"), true, false, false, false, nil)).Messages, 1000)
	c.prefetch(100)
	deliveries := c.consume(own("confirmed"), false)
	for number := 0; number < 1000; number++ {
		message := next(deliveries)
		same(string(message.Body), strconv.Itoa(number))
		must(message.Ack(false))
	}
	must(c.Cancel("consumer of "+own("confirmed"), false))
	same(c.get(own("confirmed")) == nil, true)
	got(c.QueueDelete(own("confirmed"), false, false, false))
}

func requeueInPlace() {
	c := connect()
	c.queue(own("line"))
	for _, body := range []string{"one", "two", "three"} {
		c.send("", own("line"), body)
	}
	first, second := c.get(own("line")), c.get(own("line"))
	must(second.Nack(false, true))
	must(first.Nack(false, true))
	again := []string{}
	for turn := 0; turn < 3; turn++ {
		message := c.get(own("line"))
		again = append(again, fmt.Sprintf("%s %t", message.Body, message.Redelivered))
		must(message.Ack(false))
	}
	same(again, []string{"one true", "two true", "three false"})
	same(c.get(own("line")) == nil, true)
	got(c.QueueDelete(own("line"), false, false, false))
}

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
