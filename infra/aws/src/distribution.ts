// One way to listeners: our origin first, the bucket behind it.
import { Fn, Stack } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { type CachePolicies, errorSeconds } from './caching.js';
import type { Way, WayParameters } from './parameters.js';

/** The header that shows the origin that a request comes through here (shield.header). */
export const shieldHeader = 'X-Longwave-Shield';

/** Seconds. */
export const timeouts = {
  /**
   * The longest answer worth waiting for: a blocked request is held for at most three
   * target durations, 6 s. Longer than the 2 s more would only delay the bucket.
   */
  read: 8,
  /** TCP repeats a lost SYN after 1 s. */
  connect: 3,
  /** Below the origin's own 2 minutes: it must not close what CloudFront is about to use. */
  keepAlive: 60,
};

/**
 * Statuses with which the bucket is asked. The origin answers 404 when its live edge
 * stands, 403 when it takes us for somebody else; 503 and 504 stand for "no connection" and
 * "no answer in time", too.
 */
export const failover = [403, 404, 500, 502, 503, 504];

export interface WayProps {
  readonly parameters: WayParameters;
  /** Host of the bucket. */
  readonly store: string;
  readonly policies: CachePolicies;
  readonly headers: cloudfront.ResponseHeadersPolicy;
  readonly accessControl: cloudfront.CfnOriginAccessControl;
  readonly webAcl: string;
  readonly priceClass: string;
}

export function distribution(stack: Stack, way: Way, props: WayProps): cloudfront.CfnDistribution {
  const p = props.parameters;
  const behaviors = cacheBehaviors(props);
  return new cloudfront.CfnDistribution(stack, `Distribution${way}`, {
    distributionConfig: {
      comment: Fn.sub(`\${AWS::StackName} ${way}`),
      enabled: true,
      aliases: [p.domain],
      viewerCertificate: {
        acmCertificateArn: p.certificate,
        minimumProtocolVersion: 'TLSv1.2_2021',
        sslSupportMethod: 'sni-only',
      },
      httpVersion: 'http2and3',
      ipv6Enabled: true,
      priceClass: props.priceClass,
      webAclId: props.webAcl,
      origins: [origin(p), bucket(props)],
      originGroups: {
        quantity: 1,
        items: [{
          id: 'origin-then-bucket',
          failoverCriteria: { statusCodes: { quantity: failover.length, items: failover } },
          members: { quantity: 2, items: [{ originId: 'origin' }, { originId: 'bucket' }] },
        }],
      },
      defaultCacheBehavior: behaviors.rest,
      cacheBehaviors: behaviors.by,
      customErrorResponses: Object.entries(errorSeconds).map(([code, seconds]) => ({
        errorCode: Number(code), errorCachingMinTtl: seconds,
      })),
    },
  });
}

function origin(p: WayParameters): cloudfront.CfnDistribution.OriginProperty {
  return {
    id: 'origin',
    domainName: p.origin,
    customOriginConfig: {
      originProtocolPolicy: 'https-only',
      originSslProtocols: ['TLSv1.2'],
      originReadTimeout: timeouts.read,
      originKeepaliveTimeout: timeouts.keepAlive,
    },
    // One attempt: a second would wait for an answer once more, too, and a hanging
    // origin would cost 16 s before the bucket is asked.
    connectionAttempts: 1,
    connectionTimeout: timeouts.connect,
    originCustomHeaders: [{ headerName: shieldHeader, headerValue: p.secret }],
    originShield: { enabled: true, originShieldRegion: p.shieldRegion },
  };
}

function bucket(props: WayProps): cloudfront.CfnDistribution.OriginProperty {
  return {
    id: 'bucket',
    domainName: props.store,
    originPath: Fn.join('', ['/', props.parameters.prefix]),
    s3OriginConfig: { originAccessIdentity: '' },
    originAccessControlId: props.accessControl.attrId,
    connectionAttempts: 2,
    connectionTimeout: timeouts.connect,
    originShield: { enabled: true, originShieldRegion: props.parameters.shieldRegion },
  };
}

function cacheBehaviors(props: WayProps): {
  rest: cloudfront.CfnDistribution.DefaultCacheBehaviorProperty;
  by: cloudfront.CfnDistribution.CacheBehaviorProperty[];
} {
  const all = {
    targetOriginId: 'origin-then-bucket',
    allowedMethods: ['GET', 'HEAD', 'OPTIONS'],
    // A preflight's answer is the same for everybody; uncached it would be a way past the cache.
    cachedMethods: ['GET', 'HEAD', 'OPTIONS'],
    // The bucket answers a preflight only when it sees who asks for what; the key stays without it.
    originRequestPolicyId: cloudfront.OriginRequestPolicy.CORS_S3_ORIGIN.originRequestPolicyId,
    responseHeadersPolicyId: props.headers.responseHeadersPolicyId,
  };
  // Players without TLS (kitchen radios) are players, too: no redirect, no refusal, but for pages.
  const sound = { ...all, viewerProtocolPolicy: 'allow-all' };
  const live = props.policies.live.cachePolicyId;
  const media = props.policies.media.cachePolicyId;
  const rest = props.policies.rest.cachePolicyId;
  return {
    rest: { ...all, viewerProtocolPolicy: 'redirect-to-https', compress: true, cachePolicyId: rest },
    by: [
      { ...sound, pathPattern: '*/live.m3u8', compress: true, cachePolicyId: live },
      { ...sound, pathPattern: '*.m3u8', compress: true, cachePolicyId: rest },
      { ...sound, pathPattern: '*.json', compress: true, cachePolicyId: rest },
      { ...sound, pathPattern: '*.m4s', compress: false, cachePolicyId: media },
      { ...sound, pathPattern: '*.mp4', compress: false, cachePolicyId: media },
    ],
  };
}
