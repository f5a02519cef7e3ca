package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ledger is a file with a line of JSON for each thing that happened. One goroutine writes to it, another one may close it.
type ledger struct {
	lock sync.Mutex
	file *os.File
	out  *bufio.Writer
}

func openLedger(path string) *ledger {
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	return &ledger{file: file, out: bufio.NewWriterSize(file, 1<<16)}
}

func (l *ledger) close() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := l.out.Flush(); err != nil {
		panic(err)
	}
	if err := l.file.Close(); err != nil {
		panic(err)
	}
}

func (l *ledger) write(kind string, rest string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	fmt.Fprintf(l.out, `{"t":%d,"e":"%s",%s}`+"\n", time.Now().UnixMilli(), kind, rest)
}

func (l *ledger) trouble(kind, text string) {
	quoted, _ := json.Marshal(text)
	l.write(kind, fmt.Sprintf(`"text":%s`, quoted))
}

func bodyOf(name string, connection, id int, queue string, bytes int) string {
	text := fmt.Sprintf("%s %d %d %s %d ", name, connection, id, queue, bytes)
	return text + strings.Repeat(".", max(0, bytes-len(text)))
}

type origin struct {
	publisher  string
	connection int
	id         int
	isWhole    bool
}

func originOf(body []byte) origin {
	words := strings.SplitN(string(body), " ", 6)
	if len(words) != 6 {
		return origin{publisher: "nobody"}
	}
	connection, _ := strconv.Atoi(words[1])
	id, _ := strconv.Atoi(words[2])
	bytes, _ := strconv.Atoi(words[4])
	isWhole := bodyOf(words[0], connection, id, words[3], bytes) == string(body)
	return origin{words[0], connection, id, isWhole}
}
