// What has to hold of template.json once it is deployed. Each rule returns what is wrong.
import { directives, maxAges } from '../src/caching.js';
import { allows, type Request } from './policy.js';
import type { Deployed, Props } from './template.js';

export type Rule = (d: Deployed) => string[];

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** A line when the two differ. */
function differ(what: string, got: unknown, want: unknown): string[] {
  return same(got, want) ? [] : [`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`];
}

function ways(d: Deployed): [string, Props][] {
  return d.of('AWS::CloudFront::Distribution').map(([id, p]) => [id, p['DistributionConfig'] as Props]);
}

const each = (d: Deployed, look: (config: Props, way: 'A' | 'B') => string[]) =>
  ways(d).flatMap(([id, config]) => look(config, id.slice(-1) as 'A' | 'B').map((line) => `${id}: ${line}`));

const behaviors = (config: Props): Props[] => [...config['CacheBehaviors'], config['DefaultCacheBehavior']];

const origin = (config: Props, id: string): Props => config['Origins'].find((o: Props) => o['Id'] === id) ?? {};

const policies = (d: Deployed): [string, Props][] => d.of('AWS::CloudFront::CachePolicy').map(([id, p]) => [id, p['CachePolicyConfig']]);

function policyOf(d: Deployed, behavior: Props | undefined): Props {
  return policies(d).find(([id]) => id === behavior?.['CachePolicyId'])?.[1] ?? {};
}

const key = (policy: Props): Props => policy['ParametersInCacheKeyAndForwardedToOrigin'] ?? {};

const statuses = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

/** The seconds that a blocked request may be held: three target durations of 2 s. */
const longestBlock = 6;

export const rules: Record<string, Rule> = {
  'two ways, on names of their own': (d) => [
    ...differ('ways', ways(d).map(([id]) => id), ['DistributionA', 'DistributionB']),
    ...each(d, (c, way) => differ('names', c['Aliases'], [`cdn-${way.toLowerCase()}.example.org`])),
  ],

  'our origin first, then the bucket': (d) => each(d, (c, way) => [
    ...differ('group', c['OriginGroups'].Items[0].Members.Items.map((m: Props) => m['OriginId']), ['origin', 'bucket']),
    ...differ('bucket', origin(c, 'bucket')['DomainName'], 'StoreBucket4FBDE984.RegionalDomainName'),
    ...differ('origin', origin(c, 'origin')['DomainName'], `${way.toLowerCase()}.example.org`),
    ...behaviors(c).flatMap((b) => differ(`target of ${b['PathPattern']}`, b['TargetOriginId'], c['OriginGroups'].Items[0].Id)),
  ]),

  'the bucket is asked when the origin fails, refuses or stands': (d) => each(d, (c) =>
    differ('statuses', c['OriginGroups'].Items[0].FailoverCriteria.StatusCodes.Items, [403, 404, 500, 502, 503, 504])),

  'listeners only read, and preflights are kept': (d) => each(d, (c) => behaviors(c).flatMap((b) => [
    ...differ('methods', b['AllowedMethods'], ['GET', 'HEAD', 'OPTIONS']),
    ...differ('kept methods', b['CachedMethods'], ['GET', 'HEAD', 'OPTIONS']),
  ])),

  'no error is kept for more than a second, and what may come right not at all': (d) => each(d, (c) => [
    ...differ('statuses', c['CustomErrorResponses'].map((e: Props) => e['ErrorCode']), statuses),
    ...c['CustomErrorResponses'].flatMap((e: Props) => {
      const most = [400, 403, 404, 416].includes(e['ErrorCode']) ? 0 : 1;
      return e['ErrorCachingMinTTL'] <= most ? [] : [`${e['ErrorCode']} is kept for ${e['ErrorCachingMinTTL']} s`];
    }),
  ]),

  'exactly the three directives are the key of live playlists': (d) => each(d, (c) => {
    const live = c['CacheBehaviors'][0];
    return [
      ...differ('first pattern', live.PathPattern, '*/live.m3u8'),
      ...differ('directives', key(policyOf(d, live))['QueryStringsConfig'], { QueryStringBehavior: 'whitelist', QueryStrings: directives }),
    ];
  }),

  'nothing else is in any key': (d) => [
    ...each(d, (c) => behaviors(c).slice(1).flatMap((b) =>
      differ(`key of ${b['PathPattern']}`, key(policyOf(d, b))['QueryStringsConfig'], { QueryStringBehavior: 'none' }))),
    ...policies(d).flatMap(([id, p]) => [
      ...differ(`${id}: cookies`, key(p)['CookiesConfig'], { CookieBehavior: 'none' }),
      ...differ(`${id}: headers`, key(p)['HeadersConfig'], { HeaderBehavior: 'none' }),
    ]),
  ],

  'everything is kept as long as the origin says': (d) => {
    const age = maxAges();
    const want: Record<string, number[]> = { // lowest, default, highest
      '*/live.m3u8': [0, age['media']!, Math.max(age['media']!, age['blocking']!)],
      '*.m3u8': [0, age['state']!, age['segment']!],
      '*.json': [0, age['state']!, age['segment']!],
      '*.m4s': [0, age['state']!, Math.max(age['segment']!, age['part']!)],
      '*.mp4': [0, age['state']!, age['init']!],
      'undefined': [0, age['state']!, age['segment']!],
    };
    return each(d, (c) => [
      ...differ('patterns', behaviors(c).map((b) => String(b['PathPattern'])), Object.keys(want)),
      ...behaviors(c).flatMap((b) => {
        const p = policyOf(d, b);
        return differ(`seconds of ${b['PathPattern']}`, [p['MinTTL'], p['DefaultTTL'], p['MaxTTL']], want[String(b['PathPattern'])]);
      }),
    ]);
  },

  'sound has one variant, text is compressed': (d) => each(d, (c) => behaviors(c).flatMap((b) => {
    const sound = /m4s|mp4/.test(String(b['PathPattern']));
    return [
      ...differ(`compress ${b['PathPattern']}`, b['Compress'], !sound),
      ...differ(`gzip in the key of ${b['PathPattern']}`, key(policyOf(d, b))['EnableAcceptEncodingGzip'], !sound),
    ];
  })),

  'one place asks the origin': (d) => each(d, (c) => c['Origins'].flatMap((o: Props) =>
    differ(`shield of ${o['Id']}`, o['OriginShield'], { Enabled: true, OriginShieldRegion: 'eu-central-1' }))),

  'the origin may block, and a hanging one does not': (d) => each(d, (c) => {
    const o = origin(c, 'origin');
    const read = o['CustomOriginConfig'].OriginReadTimeout;
    const waited = o['ConnectionAttempts'] * Math.max(read, o['ConnectionTimeout']);
    const bucket = origin(c, 'bucket');
    return [
      ...(read > longestBlock + 1 ? [] : [`answers are awaited for ${read} s`]),
      ...(waited <= 10 ? [] : [`the bucket is asked after ${waited} s`]),
      ...(bucket['ConnectionAttempts'] * bucket['ConnectionTimeout'] <= 6 ? [] : ['the bucket may take longer than 6 s to be reached']),
      ...(o['CustomOriginConfig'].OriginKeepaliveTimeout < 120 ? [] : ['a connection is kept longer than the origin keeps it']),
    ];
  }),

  'the origin knows who asks': (d) => each(d, (c, way) => [
    ...differ('header', origin(c, 'origin')['OriginCustomHeaders'], [{ HeaderName: 'X-Longwave-Shield', HeaderValue: way.repeat(32) }]),
    ...differ('echo', d.template.Parameters[`Secret${way}`]?.['NoEcho'], true),
    ...differ('default', d.template.Parameters[`Secret${way}`]?.['Default'], undefined),
    ...differ('header at the bucket', origin(c, 'bucket')['OriginCustomHeaders'], undefined),
  ]),

  'TLS 1.2 on both sides, HTTP/3, IPv6': (d) => each(d, (c, way) => [
    ...differ('certificate', c['ViewerCertificate'], {
      AcmCertificateArn: `arn:aws:acm:us-east-1:111122223333:certificate/${way}`, MinimumProtocolVersion: 'TLSv1.2_2021', SslSupportMethod: 'sni-only',
    }),
    ...differ('origin', origin(c, 'origin')['CustomOriginConfig'].OriginProtocolPolicy, 'https-only'),
    ...differ('origin', origin(c, 'origin')['CustomOriginConfig'].OriginSSLProtocols, ['TLSv1.2']),
    ...differ('HTTP', c['HttpVersion'], 'http2and3'),
    ...differ('IPv6', c['IPV6Enabled'], true),
  ]),

  'pages lead to HTTPS, sound plays without': (d) => each(d, (c) =>
    differ('protocols', behaviors(c).map((b) => b['ViewerProtocolPolicy']), [...Array<string>(5).fill('allow-all'), 'redirect-to-https'])),

  'any page may play it, and knows how old an answer is': (d) => {
    const policy = d.one('AWS::CloudFront::ResponseHeadersPolicy')['ResponseHeadersPolicyConfig'];
    const id = d.of('AWS::CloudFront::ResponseHeadersPolicy')[0]?.[0];
    return [
      ...differ('CORS', policy.CorsConfig, {
        AccessControlAllowCredentials: false,
        AccessControlAllowHeaders: { Items: ['*'] },
        AccessControlAllowMethods: { Items: ['GET', 'HEAD', 'OPTIONS'] },
        AccessControlAllowOrigins: { Items: ['*'] },
        AccessControlExposeHeaders: { Items: ['Age', 'Date', 'Content-Length', 'Content-Range'] },
        AccessControlMaxAgeSec: 86400,
        OriginOverride: true,
      }),
      ...each(d, (c) => behaviors(c).flatMap((b) => [
        ...differ('headers', b['ResponseHeadersPolicyId'], id),
        ...differ('preflights to the bucket', b['OriginRequestPolicyId'], '88a5eaf4-2fd4-4709-b370-b4c650ea3fcf'), // Managed-CORS-S3Origin
      ])),
    ];
  },

  'CloudFront shows the bucket who it is': (d) => [
    ...differ('signing', d.one('AWS::CloudFront::OriginAccessControl')['OriginAccessControlConfig'], {
      Name: 'live', OriginAccessControlOriginType: 's3', SigningBehavior: 'always', SigningProtocol: 'sigv4',
    }),
    ...each(d, (c, way) => [
      ...differ('access', origin(c, 'bucket')['OriginAccessControlId'], 'AccessControl.Id'),
      ...differ('path', origin(c, 'bucket')['OriginPath'], `/${way.toLowerCase()}`),
    ]),
  ],

  'the bucket is private, encrypted, and stays': (d) => {
    const b = d.one('AWS::S3::Bucket');
    return [
      ...differ('public', b['PublicAccessBlockConfiguration'], {
        BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true,
      }),
      ...differ('encryption', b['BucketEncryption'].ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault, { SSEAlgorithm: 'AES256' }),
      ...differ('owner', b['OwnershipControls'].Rules[0].ObjectOwnership, 'BucketOwnerEnforced'),
      ...differ('versions', b['VersioningConfiguration'], undefined),
      ...differ('when the stack goes', d.resources['StoreBucket4FBDE984']?.DeletionPolicy, 'Retain'),
      ...differ('CORS', [b['CorsConfiguration'].CorsRules[0].AllowedMethods, b['CorsConfiguration'].CorsRules[0].AllowedOrigins], [['GET', 'HEAD'], ['*']]),
    ];
  },

  'nothing in the bucket ends by age': (d) => differ('lifecycle', d.one('AWS::S3::Bucket')['LifecycleConfiguration'].Rules, [
    { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Id: 'uploads-never-finished', Status: 'Enabled' },
  ]),

  'CloudFront reads what is public, and nothing else': (d) => {
    const statements = d.one('AWS::S3::BucketPolicy')['PolicyDocument'].Statement;
    // Without aws:SourceAccount, which CloudFront is not known to send.
    const ask = (way: string, name: string, action = 's3:GetObject', account = '111122223333'): Request => ({
      action, resource: `StoreBucket4FBDE984.Arn/${name}`, service: 'cloudfront.amazonaws.com',
      context: { 'aws:SourceArn': `arn:aws:cloudfront::${account}:distribution/Distribution${way}` },
    });
    return judge(statements, [
      [true, ask('A', 'a/talk/index.m3u8')],
      [true, ask('B', 'b/talk/aac-48/927000000.m4s')],
      [true, ask('A', 'a/talk_/x/live.m3u8')],
      [false, ask('A', 'b/talk/index.m3u8')],
      [false, ask('B', 'a/talk/index.m3u8')],
      [false, ask('C', 'a/talk/index.m3u8')],
      [false, ask('A', 'a/talk/index.m3u8', 's3:GetObject', '999988887777')],
      [false, ask('A', 'a/_/settings/talk.json')],
      [false, ask('B', 'b/_/revoked.json')],
      [false, ask('A', '_/settings/talk.json')],
      [false, ask('A', 'a/talk/index.m3u8', 's3:PutObject')],
      [false, ask('A', 'a/talk/index.m3u8', 's3:DeleteObject')],
      [false, { ...ask('A', ''), resource: 'StoreBucket4FBDE984.Arn', action: 's3:ListBucket' }],
      [false, { ...ask('A', 'a/talk/index.m3u8'), context: { ...ask('A', '').context, 'aws:SecureTransport': 'false' } }],
      [false, { action: 's3:GetObject', resource: 'StoreBucket4FBDE984.Arn/a/talk/index.m3u8' }],
    ]);
  },

  'a packager keeps objects below its prefix, and nothing else': (d) => d.of('AWS::IAM::ManagedPolicy').flatMap(([id, p]) => {
    const own = id.includes('WriterA') ? 'a' : 'b';
    const other = own === 'a' ? 'b' : 'a';
    const ask = (action: string, name: string): Request => ({ action, resource: `StoreBucket4FBDE984.Arn/${name}` });
    const list = (prefix: string): Request => ({ action: 's3:ListBucket', resource: 'StoreBucket4FBDE984.Arn', context: { 's3:prefix': prefix } });
    return judge(p['PolicyDocument'].Statement, [
      ...['s3:PutObject', 's3:GetObject', 's3:DeleteObject'].flatMap((action): [boolean, Request][] => [
        [true, ask(action, `${own}/talk/index.m3u8`)],
        [true, ask(action, `${own}/_/settings.json`)],
        [false, ask(action, `${other}/talk/index.m3u8`)],
        [false, ask(action, 'talk/index.m3u8')],
      ]),
      [true, list(`${own}/`)], // what the probe asks for
      [true, list(`${own}/_/broadcasts/`)],
      [false, list(`${other}/`)],
      [false, list('')],
      [false, { ...list(`${own}/`), context: {} }],
      [false, ask('s3:PutObjectAcl', `${own}/talk/index.m3u8`)],
      [false, ask('s3:DeleteObjectVersion', `${own}/talk/index.m3u8`)],
      [false, { action: 's3:PutBucketPolicy', resource: 'StoreBucket4FBDE984.Arn' }],
      [false, { action: 's3:DeleteBucket', resource: 'StoreBucket4FBDE984.Arn' }],
    ]).map((line) => `${id}: ${line}`);
  }),

  'who asks too often is counted': (d) => {
    const acl = d.one('AWS::WAFv2::WebACL');
    return [
      ...differ('scope', acl['Scope'], 'CLOUDFRONT'),
      ...differ('else', acl['DefaultAction'], { Allow: {} }),
      // "All" and "Default_Action" are AWS's own.
      ...differ('figures', [acl, ...acl['Rules']].map((x: Props) => x['VisibilityConfig'].MetricName), ['longwave', 'longwave-rate']),
      ...differ('rule', acl['Rules'].map((r: Props) => [r['Statement'], r['Action']]), [[
        { RateBasedStatement: { AggregateKeyType: 'IP', EvaluationWindowSec: 60, Limit: 6000 } }, { Count: {} },
      ]]),
      ...each(d, (c) => differ('at', c['WebACLId'], 'Firewall.Arn')),
    ];
  },

  'somebody is woken': (d) => [
    ...differ('alarms', d.of('AWS::CloudWatch::Alarm').map(([, p]) => watched(p)).sort(), [
      'AllRequests > 30000', 'BucketSizeBytes > 100',
      ...['A', 'B'].flatMap((way) => [`Distribution${way}: 4xxErrorRate > 5`, `Distribution${way}: 5xxErrorRate > 1`, `Distribution${way}: OriginLatency > 3000`]),
    ]),
    ...d.of('AWS::CloudWatch::Alarm').flatMap(([id, p]) => [
      ...differ(`${id} goes to`, p['AlarmActions'], ['Alarms04B5A0BF']),
      ...differ(`${id} without figures`, p['TreatMissingData'], 'notBreaching'),
    ]),
    // Without it there is no OriginLatency.
    ...differ('figures of', d.of('AWS::CloudFront::MonitoringSubscription').map(([, p]) => p['DistributionId']), ['DistributionA.Id', 'DistributionB.Id']),
    ...differ('figures of the bucket', d.one('AWS::S3::Bucket')['MetricsConfigurations'], [{ Id: 'everything' }]),
  ],

  'CloudWatch may publish alarms, nobody in the clear': (d) => {
    const ask = (service: string, context: Record<string, string>): Request => ({
      action: 'sns:Publish', resource: 'Alarms04B5A0BF', service,
      context: { 'aws:SourceArn': 'arn:aws:cloudwatch:us-east-1:111122223333:alarm:x', 'aws:SourceAccount': '111122223333', ...context },
    });
    return judge(d.one('AWS::SNS::TopicPolicy')['PolicyDocument'].Statement, [
      [true, ask('cloudwatch.amazonaws.com', {})],
      [false, ask('cloudwatch.amazonaws.com', { 'aws:SourceAccount': '999988887777' })],
      [false, ask('cloudwatch.amazonaws.com', { 'aws:SecureTransport': 'false' })],
      [false, ask('events.amazonaws.com', {})],
    ]);
  },

  'no log of listeners': (d) => [
    ...each(d, (c) => differ('log', c['Logging'], undefined)),
    ...differ('log of the bucket', d.one('AWS::S3::Bucket')['LoggingConfiguration'], undefined),
    ...d.of('AWS::WAFv2::LoggingConfiguration').map(([id]) => `${id} logs`),
  ],

  'two stacks do not collide': (d) => [
    ...d.of('AWS::IAM::ManagedPolicy').flatMap(([id, p]) => differ(`name of ${id}`, p['ManagedPolicyName'], undefined)),
    ...d.of('AWS::S3::Bucket').flatMap(([id, p]) => differ(`name of ${id}`, p['BucketName'], undefined)),
    ...policies(d).flatMap(([id, p]) => (p['Name'].startsWith('live-') ? [] : [`${id} is called ${p['Name']}`])),
  ],

  'only what cannot be known is asked': (d) => differ('parameters without a default',
    Object.entries(d.template.Parameters).filter(([, p]) => p['Default'] === undefined).map(([name]) => name),
    ['DomainA', 'CertificateA', 'OriginA', 'SecretA', 'DomainB', 'CertificateB', 'OriginB', 'SecretB']),
};

function judge(statements: Props[], cases: [boolean, Request][]): string[] {
  return cases.filter(([want, r]) => allows(statements, r) !== want)
    .map(([want, r]) => `${JSON.stringify(r)} is ${want ? 'refused' : 'allowed'}`);
}

/** What an alarm watches: "DistributionA: OriginLatency > 3000". */
function watched(alarm: Props): string {
  const metrics: Props[] = alarm['MetricName'] ? [alarm] : alarm['Metrics'].flatMap((m: Props) => m['MetricStat']?.Metric ?? []);
  const m = metrics.find((x) => x['MetricName'] !== 'Requests')!;
  const of = m['Dimensions'].find((x: Props) => x['Name'] === 'DistributionId')?.Value.replace('.Id', ': ') ?? '';
  return `${of}${m['MetricName']} ${alarm['ComparisonOperator'] === 'GreaterThanThreshold' ? '>' : '?'} ${alarm['Threshold']}`;
}
