// How long what is kept, and what makes two requests the same. The figures are those
// of the origin's own headers: a CDN that waits less asks too often, one that waits
// longer serves a stream that has moved on.
import { readFileSync } from 'node:fs';
import { Aws, Duration, type Stack } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { fromRoot } from './place.js';

/** A kind of object, as infra/edge/rules.json has it: one table for everything that caches. */
interface Rule {
  readonly name: string;
  readonly query?: readonly string[];
  readonly cache_control: string;
  readonly cache_control_blocking?: string;
}

const { rules } = JSON.parse(readFileSync(fromRoot('../edge/rules.json'), 'utf8')) as { rules: Rule[] };

/** The only query parameters that change an answer (rfc8216bis section 6.2.5). */
export const directives = rules.flatMap((rule) => rule.query ?? []);

/**
 * Seconds for which an error is kept, by status. 10 s, CloudFront's default, are
 * thirty parts. 4xx are not kept at all: what is not there yet is there 0.3 s later,
 * and when the bucket says it (403) no header of ours can. 5xx are kept for 1 s, so that
 * a sick origin is asked once a second and address, not once a listener. 405, 414 and
 * 501 never become right by waiting.
 */
export const errorSeconds: Readonly<Record<number, number>> = {
  400: 0, 403: 0, 404: 0, 405: 1, 414: 1, 416: 0, 500: 1, 501: 1, 502: 1, 503: 1, 504: 1,
};

/** Seconds of max-age by kind of object; blocking is a live playlist that was waited for. */
export function maxAges(): Record<string, number> {
  const seconds = (kind: string, header: string): [string, number] => {
    const found = /(?:^|[ ,])max-age=(\d+)/.exec(header);
    if (!found) throw new Error(`rules.json: ${kind} has no max-age`);
    return [kind, Number(found[1])];
  };
  return Object.fromEntries(rules.flatMap((rule) => [
    seconds(rule.name, rule.cache_control),
    ...(rule.cache_control_blocking ? [seconds('blocking', rule.cache_control_blocking)] : []),
  ]));
}

/** The longest that any object of these kinds may be kept. */
function longest(kinds: string[]): Duration {
  const ages = maxAges();
  return Duration.seconds(Math.max(...kinds.map((kind) => ages[kind] ?? NaN)));
}

export interface CachePolicies {
  readonly live: cloudfront.CachePolicy;
  readonly media: cloudfront.CachePolicy;
  readonly rest: cloudfront.CachePolicy;
}

/**
 * The policies. The lowest TTL is always 0: with any other CloudFront would keep what
 * the origin forbids to keep. The default, for answers without Cache-Control, is the
 * shortest of its kind.
 */
export function cachePolicies(stack: Stack): CachePolicies {
  const ages = maxAges();
  const policy = (id: string, comment: string, props: cloudfront.CachePolicyProps) => new cloudfront.CachePolicy(stack, id, {
    cachePolicyName: `${Aws.STACK_NAME}-${id}`,
    comment,
    minTtl: Duration.seconds(0),
    cookieBehavior: cloudfront.CacheCookieBehavior.none(),
    headerBehavior: cloudfront.CacheHeaderBehavior.none(),
    queryStringBehavior: cloudfront.CacheQueryStringBehavior.none(),
    ...props,
  });
  return {
    live: policy('Live', 'Live playlists: the three directives are the key', {
      queryStringBehavior: cloudfront.CacheQueryStringBehavior.allowList(...directives),
      defaultTtl: Duration.seconds(ages['media'] ?? NaN),
      maxTtl: longest(['media', 'blocking']),
      enableAcceptEncodingGzip: true,
      enableAcceptEncodingBrotli: false,
    }),
    // One variant an object: sound does not shrink, and a key with the encoding in it
    // would fetch everything twice.
    media: policy('Media', 'Segments, parts, init segments', {
      defaultTtl: Duration.seconds(ages['state'] ?? NaN),
      maxTtl: longest(['segment', 'init', 'part']),
      enableAcceptEncodingGzip: false,
      enableAcceptEncodingBrotli: false,
    }),
    rest: policy('Rest', 'Multivariant playlists, pages, JSON', {
      defaultTtl: Duration.seconds(ages['state'] ?? NaN),
      maxTtl: longest(['multivariant', 'state', 'segment']), // scripts have their hash in their name
      enableAcceptEncodingGzip: true,
      enableAcceptEncodingBrotli: true,
    }),
  };
}

/** Anybody may embed the station, and a player reads Age to know how old a playlist is. */
export function responseHeaders(stack: Stack): cloudfront.ResponseHeadersPolicy {
  return new cloudfront.ResponseHeadersPolicy(stack, 'Headers', {
    responseHeadersPolicyName: `${Aws.STACK_NAME}-Headers`,
    comment: 'CORS for every origin, also on errors and from the bucket',
    corsBehavior: {
      accessControlAllowOrigins: ['*'],
      accessControlAllowMethods: ['GET', 'HEAD', 'OPTIONS'],
      accessControlAllowHeaders: ['*'],
      accessControlExposeHeaders: ['Age', 'Date', 'Content-Length', 'Content-Range'],
      accessControlAllowCredentials: false,
      accessControlMaxAge: Duration.days(1),
      originOverride: true,
    },
    securityHeadersBehavior: { contentTypeOptions: { override: true } },
  });
}
