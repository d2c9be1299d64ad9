# Longwave behind Varnish 6.0 LTS or 7. Written by `go run ./infra/edge` of infra/edge/rules.json:
# change those, not this file.
vcl 4.1;
import std;

backend origin {
  .host = "127.0.0.1";
  .port = "8080";
  .connect_timeout = 1s;
  .first_byte_timeout = 8s; # a blocked request is held for up to three target durations
  .between_bytes_timeout = 2s;
  .probe = {
    .request =
      "GET /healthz HTTP/1.1"
      "Host: 127.0.0.1"
      "Connection: close";
    .interval = 500ms;
    .timeout = 1s;
    .window = 3;
    .threshold = 2;
    .initial = 2;
  }
}

# Plain playlists under the same keys: what there is when the origin is dead.
backend second {
  .host = "127.0.0.1";
  .port = "8081";
  .connect_timeout = 1s;
  .first_byte_timeout = 8s;
  .between_bytes_timeout = 2s;
}

# Who may take things out.
acl purgers {
  "127.0.0.1";
  "::1";
}

sub vcl_recv {
  # What is gone at the origin and in the store: with a slash at the end all that is below.
  if (req.method == "PURGE" && client.ip ~ purgers) {
    if (req.url !~ "^/[A-Za-z0-9/._-]+$") {
      return (synth(400));
    }
    if (req.url ~ "/$") {
      ban("obj.http.X-Longwave-Path ~ ^" + regsuball(req.url, "[.]", "[.]"));
    } else {
      ban("obj.http.X-Longwave-Path == " + req.url);
    }
    return (synth(200));
  }
  if (req.method !~ "^(GET|HEAD|OPTIONS)$") {
    return (synth(405));
  }
  if (req.url ~ "^/(7\.xsl|admin|api|healthz|ice|metrics|push|readyz|status-json\.xsl|studio|whep|whip)(/|\?|$)") {
    return (synth(404));
  }
  if (req.method == "OPTIONS") {
    return (synth(204));
  }
  # Nothing of who asks goes on.
  unset req.http.Cookie;
  unset req.http.Authorization;
  unset req.http.X-Longwave-Shield;
  set req.http.X-Longwave-Path = regsub(req.url, "\?.*$", "");
  set req.http.X-Longwave-Kind = "other";
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}\.m3u8$") { set req.http.X-Longwave-Kind = "multivariant"; }
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}/live\.m3u8$") { set req.http.X-Longwave-Kind = "media"; }
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}/init-[a-z0-9][a-z0-9_-]{0,62}\.mp4$") { set req.http.X-Longwave-Kind = "init"; }
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}/[0-9]+\.m4s$") { set req.http.X-Longwave-Kind = "segment"; }
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}/[0-9]+\.[0-9]+\.m4s$") { set req.http.X-Longwave-Kind = "part"; }
  if (req.http.X-Longwave-Path ~ "^/[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}\.json$") { set req.http.X-Longwave-Kind = "state"; }

  # The key is the path and, of a live playlist, its directives in one order.
  set req.http.X-Longwave-Query = "";
  if (req.http.X-Longwave-Kind == "media" && std.healthy(origin)) {
    if (req.url ~ "[?&]_HLS_msn=") {
      set req.http.X-Longwave-Query = req.http.X-Longwave-Query + regsub(req.url, "^.*[?&](_HLS_msn=[^&]*).*$", "&\1");
    }
    if (req.url ~ "[?&]_HLS_part=") {
      set req.http.X-Longwave-Query = req.http.X-Longwave-Query + regsub(req.url, "^.*[?&](_HLS_part=[^&]*).*$", "&\1");
    }
    if (req.url ~ "[?&]_HLS_skip=") {
      set req.http.X-Longwave-Query = req.http.X-Longwave-Query + regsub(req.url, "^.*[?&](_HLS_skip=[^&]*).*$", "&\1");
    }
  }
  set req.url = req.http.X-Longwave-Path + regsub(req.http.X-Longwave-Query, "^&", "?");
  unset req.http.X-Longwave-Query;

  # How old an answer may be while a new one is asked for. When nobody has a new one,
  # as old as vcl_backend_response says.
  if (std.healthy(origin) && req.restarts == 0) {
    set req.grace = 0s;
    if (req.http.X-Longwave-Kind == "multivariant") { set req.grace = 30s; }
  } else {
    set req.grace = 3600s;
  }
  return (hash); # requests for one key wait for one answer
}

sub vcl_hash {
  hash_data(req.url); # not Host: it would be a way past the cache
  return (lookup);
}

sub vcl_backend_fetch {
  set bereq.backend = origin;
  if (bereq.retries > 0 || !std.healthy(origin)) {
    set bereq.backend = second;
    set bereq.http.Host = "127.0.0.1:8081";
    set bereq.url = "" + bereq.http.X-Longwave-Path;
    unset bereq.http.X-Longwave-Shield;
  }
  return (fetch);
}

sub vcl_backend_response {
  # The origin fails, refuses or its live edge stands.
  if (bereq.backend == origin && bereq.retries == 0
    && (beresp.status == 403 || beresp.status == 404 || beresp.status >= 500)) {
    return (retry);
  }
  if (beresp.status >= 500 && bereq.is_bgfetch) {
    return (abandon); # what is there stays
  }
  unset beresp.http.Set-Cookie;
  set beresp.http.X-Longwave-Path = bereq.http.X-Longwave-Path; # for PURGE
  if (beresp.status >= 400) {
    # For a moment and never beyond: not as hit-for-miss, which would let everybody
    # through for two minutes.
    set beresp.ttl = 100ms;
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    return (deliver);
  }
  # Varnish has read max-age by itself. It does not know stale-if-error.
  set beresp.grace = 0s;
  if (bereq.http.X-Longwave-Kind == "multivariant") { set beresp.grace = 3600s; }
  if (bereq.http.X-Longwave-Kind == "media") { set beresp.grace = 4s; }
  if (!beresp.http.Cache-Control) {
    set beresp.ttl = 1s;
  }
  if (beresp.http.Cache-Control ~ "no-store|private") {
    set beresp.uncacheable = true;
    set beresp.ttl = 1s;
  }
  return (deliver);
}

sub vcl_backend_error {
  if (bereq.backend == origin && bereq.retries == 0) {
    return (retry);
  }
  set beresp.ttl = 0s;
  set beresp.grace = 0s;
  set beresp.http.Cache-Control = "no-store";
  set beresp.http.Access-Control-Allow-Origin = "*";
  return (deliver);
}

sub vcl_deliver {
  # Nobody answers: what there was before, if it is not too old.
  if (resp.status >= 500 && req.restarts == 0) {
    return (restart);
  }
  if (resp.status >= 500 && req.http.X-Longwave-Kind == "media") {
    set resp.status = 404; # players go on at once
  }
  if (resp.status >= 400) {
    set resp.http.Cache-Control = "no-store"; # a bucket does not say it
  }
  unset resp.http.X-Longwave-Path;
  unset resp.http.X-Varnish;
  unset resp.http.Via;
  set resp.http.Access-Control-Allow-Origin = "*";
  set resp.http.Access-Control-Expose-Headers = "Age, Date, Content-Length, Content-Range";
  return (deliver);
}

sub vcl_synth {
  set resp.http.Cache-Control = "no-store";
  set resp.http.Access-Control-Allow-Origin = "*";
  if (resp.status == 204) {
    set resp.http.Access-Control-Allow-Methods = "GET, HEAD, OPTIONS";
    set resp.http.Access-Control-Allow-Headers = "*";
    set resp.http.Access-Control-Max-Age = "86400";
  } else {
    set resp.http.Allow = "GET, HEAD, OPTIONS";
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    synthetic(resp.reason + {"
"});
  }
  return (deliver);
}
