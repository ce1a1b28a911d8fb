package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"
	"time"
)

// maxSessions bounds the browsers that are logged in; the oldest goes first.
const maxSessions = 1024

type digest = [sha256.Size]byte

// sessions are the browsers that have shown a token. A session has a random id
// of its own, so that no browser keeps the token; here only its hash is kept.
type sessions struct {
	limit time.Duration
	now   func() time.Time

	mu   sync.Mutex
	open map[digest]session
}

type session struct {
	caller Caller
	until  time.Time
}

func newSessions(limit time.Duration, now func() time.Time) *sessions {
	return &sessions{limit: limit, now: now, open: map[digest]session{}}
}

// start returns the id of a new session.
func (s *sessions) start(c Caller) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxSessions {
		s.makeRoom()
	}
	s.open[sha256.Sum256([]byte(id))] = session{caller: c, until: s.now().Add(s.limit)}
	return id
}

// makeRoom removes what has ended, and the oldest.
func (s *sessions) makeRoom() {
	now, oldest := s.now(), digest{}
	first := time.Time{}
	for id, one := range s.open {
		if now.After(one.until) {
			delete(s.open, id)
		} else if first.IsZero() || one.until.Before(first) {
			oldest, first = id, one.until
		}
	}
	if len(s.open) >= maxSessions {
		delete(s.open, oldest)
	}
}

// caller returns whose session it is.
func (s *sessions) caller(id string) (Caller, bool) {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.open[key]
	if ok && s.now().After(one.until) {
		delete(s.open, key)
		ok = false
	}
	return one.caller, ok
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// tokens finds the caller of a token without telling by its time how much of it
// was right.
type tokens []struct {
	hash   digest
	caller Caller
}

func newTokens(all []Token) tokens {
	ts := make(tokens, len(all))
	for i, t := range all {
		ts[i].hash = sha256.Sum256([]byte(t.Secret))
		ts[i].caller = Caller{Name: t.Name, Role: t.Role, Shops: t.Shops, Carriers: t.Carriers}
	}
	return ts
}

func (ts tokens) caller(secret string) (c Caller, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for i := range ts {
		if subtle.ConstantTimeCompare(ts[i].hash[:], hash[:]) == 1 {
			c, ok = ts[i].caller, true
		}
	}
	return c, ok
}

// The name with __Host- makes the browser refuse the cookie unless it is Secure
// and of this very host.
const (
	secureCookie = "__Host-scantrail"
	plainCookie  = "scantrail_session"
)

func (s *Server) cookieName() string {
	if s.secure {
		return secureCookie
	}
	return plainCookie
}

func (s *Server) sessionCookie(id string, age time.Duration) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(), Value: id, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode, MaxAge: int(age.Seconds())}
	if id == "" {
		c.MaxAge = -1
	}
	return c
}
