// Plays one scenario with amqp091-go:  AMQP_URL=... go run . SCENARIO
// Exits 0 when all came as it should. The names stand in ../scenarios.ts.
package main

import (
	"fmt"
	"os"
	"time"
)

var scenarios = map[string]func(){
	"tasks-sender-first":   tasksSenderFirst,
	"tasks-receiver-first": tasksReceiverFirst,
	"share-evenly":         shareEvenly,
	"log-fanout":           logFanout,
	"topic-logs":           topicLogs,
	"headers-any-all":      headersAnyAll,
	"rpc-reply-queue":      rpcReplyQueue,
	"rpc-direct-reply-to":  rpcDirectReplyTo,
	"chat-rooms":           chatRooms,
	"chat-for-all":         chatForAll,
	"image-upload":         imageUpload,
	"killed-consumer":      killedConsumer,
	"victim":               victim,
	"mandatory-return":     mandatoryReturn,
	"publisher-confirms":   publisherConfirms,
	"requeue-in-place":     requeueInPlace,
	"channel-error":        channelError,
	"cancel-notify":        cancelNotify,
	"header-types":         headerTypes,
	"survival-leave":       survivalLeave,
	"survival-check":       survivalCheck,
}

func main() {
	if len(os.Args) != 2 || scenarios[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "say which scenario")
		os.Exit(2)
	}
	// A scenario that hangs is a scenario that failed.
	time.AfterFunc(60*time.Second, func() { panic("it took longer than 60 s") })
	scenarios[os.Args[1]]()
	closeAll()
	fmt.Println("ok")
}
