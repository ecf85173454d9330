package hmacd

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// address is the parsed address of a target.
type address struct {
	text string // as in the settings
	path string // the path of a Unix socket; empty for host:port
	host string
	port string
}

func parseAddress(text string) (address, error) {
	if path, isUnix := strings.CutPrefix(text, "unix:"); isUnix {
		if !filepath.IsAbs(path) {
			return address{}, invalidArgument("Targets has %q, but the path of a Unix socket must be absolute", text)
		}
		return address{text: text, path: path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(host, " /%") {
		return address{}, invalidArgument("Targets has %q, but a target must be host:port or unix:/absolute/path", text)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return address{}, invalidArgument("Targets has %q, but a port must be 1 to 65535", text)
	}
	return address{text: text, host: host, port: port}, nil
}

// isUnix returns whether the target is a Unix socket. Its connections have no TLS: the daemon knows
// the peer by the credentials of the socket.
func (a address) isUnix() bool { return a.path != "" }
