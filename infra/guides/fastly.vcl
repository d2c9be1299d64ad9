# Longwave at Fastly: the main VCL file of the service. fastly.md says what else to
# set, and why. Names that belong to the service: the backends F_origin and F_bucket,
# the private dictionary "longwave" with the item "shield".

sub vcl_recv {
  # Players only read; anything else is a way past the cache.
  if (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS" && req.method != "FASTLYPURGE") {
    error 405 "Method Not Allowed";
  }
  if (req.restarts == 0) {
    unset req.http.X-Longwave-Shield; # ours alone
    unset req.http.X-Longwave-Store;
  }

  # The key is the path and, for live playlists, the three directives: "?x=1" would
  # otherwise be another object.
  if (req.url.path ~ "/live\.m3u8$") {
    set req.url = querystring.sort(querystring.filter_except(req.url,
      "_HLS_msn" + querystring.filtersep() + "_HLS_part" + querystring.filtersep() + "_HLS_skip"));
  } else {
    set req.url = req.url.path;
  }

  #FASTLY recv

  # The macro has chosen F_origin, or a shield on the way to it.
  if (req.http.X-Longwave-Store) {
    set req.backend = F_bucket;
  }
  if (req.method == "OPTIONS") {
    return(pass);
  }
  return(lookup);
}

sub vcl_hash {
  set req.hash += req.url;
  set req.hash += req.http.host;
  #FASTLY hash
  return(hash);
}

sub vcl_miss {
  #FASTLY miss
  if (req.http.X-Longwave-Store) {
    # The prefix of the node in the bucket (store.s3.prefix). The bucket knows no directives.
    set bereq.url = "/a" + req.url.path;
  } else if (req.backend.is_origin) {
    set bereq.http.X-Longwave-Shield = table.lookup(longwave, "shield");
    # A blocked request is held for at most 6 s.
    set bereq.first_byte_timeout = 8s;
  }
  return(fetch);
}

sub vcl_pass {
  #FASTLY pass
  if (req.http.X-Longwave-Store) {
    set bereq.url = "/a" + req.url.path;
  } else if (req.backend.is_origin) {
    set bereq.http.X-Longwave-Shield = table.lookup(longwave, "shield");
  }
  return(pass);
}

sub vcl_fetch {
  # The origin fails, refuses (403) or its live edge stands (404): ask the bucket.
  if (!req.http.X-Longwave-Store && req.backend.is_origin
    && (beresp.status == 403 || beresp.status == 404 || beresp.status >= 500)) {
    set req.http.X-Longwave-Store = "1";
    restart;
  }

  #FASTLY fetch

  if (beresp.status >= 500 && stale.exists) {
    return(deliver_stale);
  }
  # Errors are kept for a moment, not passed: return(pass) would leave a mark that
  # lets every listener's request through on its own for two minutes.
  if (beresp.status >= 400) {
    set beresp.cacheable = true;
    set beresp.ttl = 300ms;
    set beresp.stale_while_revalidate = 0s;
    set beresp.stale_if_error = 0s;
    return(deliver);
  }
  # Everything else: Cache-Control has been read, max-age and stale-* are in force.
  return(deliver);
}

sub vcl_error {
  #FASTLY error
  # No connection, or no answer in time: 503 from here, without vcl_fetch.
  if (obj.status == 503 && !req.http.X-Longwave-Store && req.restarts == 0) {
    set req.http.X-Longwave-Store = "1";
    restart;
  }
  if (obj.status >= 500 && stale.exists) {
    return(deliver_stale);
  }
  return(deliver);
}

sub vcl_deliver {
  #FASTLY deliver
  # On errors of ours and answers of the bucket, too.
  if (fastly.ff.visits_this_service == 0) {
    set resp.http.Access-Control-Allow-Origin = "*";
    set resp.http.Access-Control-Expose-Headers = "Age, Date, Content-Length, Content-Range";
  }
  return(deliver);
}
