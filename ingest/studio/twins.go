package studio

import (
	"net/http"
	"slices"
)

// twins lets the pages of the other nodes, and nobody else's, read the answers (Fetch
// standard, section 3.2): a studio of twins does every deed at each of them. Who asks is
// told by the token, never by a cookie.
func (a *API) twins(next http.Handler) http.Handler {
	if len(a.opt.Twins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(a.opt.Twins, origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "DELETE, GET, PATCH, POST, PUT")
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
				h.Set("Access-Control-Max-Age", "600")
				h.Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
