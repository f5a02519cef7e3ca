package main

// Queues that share out work, and what happens when it goes wrong.

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"

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
