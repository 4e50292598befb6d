package login

import (
	"sync"
	"time"
)

// How failures are slowed down: so many are free, then each further one
// doubles the wait. A name at one place is slowed soon; a place as a whole
// later, so that one forgetful person does not lock out a whole desk; a name
// alone never, so that nobody can lock out another from elsewhere.
const (
	freePair   = 5
	freePlace  = 30
	firstWait  = 2 * time.Second
	longest    = 15 * time.Minute
	forgetting = time.Hour
	maxStrikes = 1024
)

type strike struct {
	count int
	last  time.Time
}

// strikes counts failures. It is bounded: when full, the oldest goes.
type strikes struct {
	mu sync.Mutex
	m  map[string]*strike
}

func newStrikes() *strikes { return &strikes{m: map[string]*strike{}} }

func pair(name, from string) string { return "pair\x00" + name + "\x00" + from }
func place(from string) string      { return "place\x00" + from }

// wait says how long the next attempt must still wait.
func (s *strikes) wait(now time.Time, name, from string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.left(now, pair(name, from), freePair), s.left(now, place(from), freePlace))
}

func (s *strikes) left(now time.Time, key string, free int) time.Duration {
	k := s.m[key]
	if k == nil || k.count < free || now.Sub(k.last) > forgetting {
		return 0
	}
	pause := firstWait << min(k.count-free, 16)
	return max(0, k.last.Add(min(pause, longest)).Sub(now))
}

func (s *strikes) add(now time.Time, name, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{pair(name, from), place(from)} {
		k := s.m[key]
		if k == nil || now.Sub(k.last) > forgetting {
			k = &strike{}
			s.m[key] = k
		}
		k.count++
		k.last = now
	}
	for len(s.m) > maxStrikes {
		oldest := ""
		for key, k := range s.m {
			if oldest == "" || k.last.Before(s.m[oldest].last) {
				oldest = key
			}
		}
		delete(s.m, oldest)
	}
}

func (s *strikes) clear(name, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, pair(name, from))
}
