package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", s.showLogin)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("GET /login.css", s.pages.serveStyle)
	mux.Handle("/v1/scans/", s.part(func(h *Handlers) http.Handler { return h.Push }))
	mux.Handle("/v1/", s.part(func(h *Handlers) http.Handler { return h.API }))
	mux.Handle("/", s.part(func(h *Handlers) http.Handler { return h.Console }))
	return mux
}

func (s *Server) part(of func(*Handlers) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := s.handlers.Load()
		if h == nil {
			w.Header().Set("Retry-After", "1")
			s.answer(w, r, http.StatusServiceUnavailable, "starting")
			return
		}
		if next := of(h); next != nil {
			next.ServeHTTP(w, r)
			return
		}
		s.answer(w, r, http.StatusNotFound, "nothing")
	})
}

// problem is the body of an error for machines (RFC 9457), with what to do.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// WriteProblem answers with an error as application/problem+json: what is wrong,
// and what to do about it.
func WriteProblem(w http.ResponseWriter, status int, what, remedy string) {
	body, err := json.Marshal(problem{"about:blank", http.StatusText(status), status, what, remedy})
	if err != nil {
		panic(err) // text alone
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) //nolint:errcheck // the client has gone
}

// refuse is answer for what the guards keep out.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, reason string, status int) {
	s.metrics.refused(reason).Inc()
	s.answer(w, r, status, reason)
}

// answer tells what is wrong, in the words of web.<reason>: to machines as
// problem+json, to people as a page.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, reason string, args ...any) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		en := s.o.Texts.Language("en")
		WriteProblem(w, status, en.Get("web."+reason, args...), en.Get("web."+reason+"_remedy", args...))
		return
	}
	s.pages.message(w, r, status, reason, args...)
}

// askWho sends people to the login, and tells machines that a token is missing.
func (s *Server) askWho(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v1/") || r.Method == http.MethodPost || r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scantrail"`)
		s.refuse(w, r, "token", http.StatusUnauthorized)
		return
	}
	// A link elsewhere, as in an alert, does not carry a cookie that is
	// SameSite=Strict. A page of this host that leads on does.
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		s.pages.lead(w, r, r.URL.RequestURI())
		return
	}
	http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
}

// localPath returns next if it is a path of this host, else "/": a login must
// not lead elsewhere.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if CallerOf(r.Context()).MaySeeAll() {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.pages.login(w, r, http.StatusOK, next, "")
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r, s.logins, addressKey(s.address(r)), loginsPerMinute) {
		return
	}
	limitBody(w, r, maxLoginBytes)
	if err := r.ParseForm(); err != nil {
		s.answer(w, r, http.StatusBadRequest, "form")
		return
	}
	next := localPath(r.PostForm.Get("next"))
	caller, ok := s.tokens.caller(strings.TrimSpace(r.PostForm.Get("token")))
	switch {
	case !ok:
		s.metrics.refused("token").Inc()
		s.o.Log.Warn("login with a token that is not known", "from", s.address(r))
		s.pages.login(w, r, http.StatusUnauthorized, next, "login.wrong")
	case !caller.MaySeeAll():
		s.metrics.refused("role").Inc()
		s.pages.login(w, r, http.StatusForbidden, next, "login.api_only")
	default:
		http.SetCookie(w, s.sessionCookie(s.sessions.start(caller), s.o.SessionLimit))
		s.o.Log.Info("login", "caller", caller.Name, "role", caller.Role, "from", s.address(r))
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(s.cookieName()); err == nil {
		s.sessions.end(c.Value)
	}
	http.SetCookie(w, s.sessionCookie("", 0))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
