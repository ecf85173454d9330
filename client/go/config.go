package hmacd

import (
	"os"
	"strings"
	"time"
)

const largestMaxMessageBytes = 1 << 20

// Config has the settings of a [Client]. A zero value means the default.
type Config struct {
	// Targets are 1 to 16 daemons, each host:port or unix:/absolute/path. Required.
	Targets []string
	// CAFile, CertFile and KeyFile are paths of PEM files: the authorities of the daemons'
	// certificates, the client's certificate chain, and its private key (PKCS #8, PKCS #1 or SEC1).
	// Required for a target host:port.
	CAFile, CertFile, KeyFile string
	// Timeout is the deadline of a call whose context has no earlier deadline. Default: 5 s.
	Timeout time.Duration
	// AttemptTimeout limits one attempt while another target is usable. Default: 1 s.
	AttemptTimeout time.Duration
	// MaxMessageBytes is the maximum length of a message in bytes, 1 to 1048576. The daemon has its own
	// maximum. Default: 65536.
	MaxMessageBytes int
	// FileInterval is the period of the check of the PEM files, 1 s to 5 s. Default: 2 s.
	FileInterval time.Duration
	// Observer gets each call. Default: none. Package hmacdotel has one for OpenTelemetry.
	Observer Observer
}

// ConfigFromEnv returns the settings of the environment: HMACD_TARGET (targets, separated by
// commas), HMACD_CA, HMACD_CERT and HMACD_KEY. [New] checks them.
func ConfigFromEnv() Config {
	return configFrom(os.Getenv)
}

func configFrom(getenv func(string) string) Config {
	config := Config{
		CAFile:   getenv("HMACD_CA"),
		CertFile: getenv("HMACD_CERT"),
		KeyFile:  getenv("HMACD_KEY"),
	}
	if targets := getenv("HMACD_TARGET"); targets != "" {
		for target := range strings.SplitSeq(targets, ",") {
			config.Targets = append(config.Targets, strings.TrimSpace(target))
		}
	}
	return config
}

// complete returns the settings with their defaults, and the parsed targets.
func (c Config) complete() (Config, []address, error) {
	setDefault(&c.Timeout, 5*time.Second)
	setDefault(&c.AttemptTimeout, time.Second)
	setDefault(&c.MaxMessageBytes, 65536)
	setDefault(&c.FileInterval, 2*time.Second)
	switch {
	case c.Timeout < 0:
		return c, nil, invalidArgument("Timeout is %v, but must be more than 0", c.Timeout)
	case c.AttemptTimeout < 0:
		return c, nil, invalidArgument("AttemptTimeout is %v, but must be more than 0", c.AttemptTimeout)
	case c.MaxMessageBytes < 0 || c.MaxMessageBytes > largestMaxMessageBytes:
		return c, nil, invalidArgument("MaxMessageBytes is %d, but must be 1 to %d", c.MaxMessageBytes, largestMaxMessageBytes)
	case c.FileInterval < time.Second || c.FileInterval > 5*time.Second:
		return c, nil, invalidArgument("FileInterval is %v, but must be 1s to 5s", c.FileInterval)
	case len(c.Targets) == 0:
		return c, nil, invalidArgument("Targets is empty, but must have 1 to 16 daemons (HMACD_TARGET)")
	case len(c.Targets) > 16:
		return c, nil, invalidArgument("Targets has %d daemons, but must have 1 to 16", len(c.Targets))
	}
	addresses := make([]address, len(c.Targets))
	for i, target := range c.Targets {
		parsed, err := parseAddress(target)
		if err != nil {
			return c, nil, err
		}
		addresses[i] = parsed
	}
	return c, addresses, nil
}

func setDefault[T comparable](setting *T, value T) {
	var zero T
	if *setting == zero {
		*setting = value
	}
}
