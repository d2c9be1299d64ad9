import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rules } from './rules.js';
import { Deployed, given, type Props, read, type Template } from './template.js';

/** The names of the rules that a template breaks. */
function broken(t: Template): string[] {
  const d = new Deployed(t);
  return Object.entries(rules).filter(([, rule]) => rule(d).length > 0).map(([name]) => name);
}

for (const [name, rule] of Object.entries(rules)) {
  test(name, () => assert.deepEqual(rule(new Deployed(read('template.json'))), []));
}

const props = (t: Template, id: string): Props => t.Resources[id]!.Properties;
const config = (t: Template, way = 'A'): Props => props(t, `Distribution${way}`)['DistributionConfig'];
const origin = (t: Template, i: number): Props => config(t)['Origins'][i];
const policy = (t: Template, name: string): Props =>
  Object.values(t.Resources).find((r) => r.Properties['CachePolicyConfig']?.Comment.startsWith(name))!.Properties['CachePolicyConfig'];
const statements = (t: Template, type: string): Props[] =>
  Object.values(t.Resources).find((r) => r.Type === type)!.Properties['PolicyDocument'].Statement;
const headers = (t: Template): Props =>
  Object.values(t.Resources).find((r) => r.Properties['ResponseHeadersPolicyConfig'])!.Properties['ResponseHeadersPolicyConfig'];
const bucket = (t: Template): Props => props(t, 'StoreBucket4FBDE984');
const alarms = (t: Template): Props[] => Object.values(t.Resources).filter((r) => r.Type === 'AWS::CloudWatch::Alarm').map((r) => r.Properties);

// What somebody could do by mistake, and the one rule that has to notice it.
const mistakes: [keyof typeof rules, (t: Template) => void][] = [
  ['two ways, on names of their own', (t) => { config(t)['Aliases'] = [{ Ref: 'DomainB' }]; }],
  ['our origin first, then the bucket', (t) => { config(t)['OriginGroups'].Items[0].Members.Items.reverse(); }],
  ['our origin first, then the bucket', (t) => { config(t)['CacheBehaviors'][0].TargetOriginId = 'origin'; }],
  ['our origin first, then the bucket', (t) => { origin(t, 0)['DomainName'] = { Ref: 'OriginB' }; }],
  ['the bucket is asked when the origin fails, refuses or stands', (t) => { config(t)['OriginGroups'].Items[0].FailoverCriteria.StatusCodes.Items = [500, 502, 503, 504]; }],
  ['listeners only read, and preflights are kept', (t) => { config(t)['DefaultCacheBehavior'].AllowedMethods.push('POST'); }],
  ['listeners only read, and preflights are kept', (t) => { config(t)['CacheBehaviors'][2].CachedMethods = ['GET', 'HEAD']; }],
  ['no error is kept for more than a second, and what may come right not at all', (t) => { config(t)['CustomErrorResponses'].pop(); }],
  ['no error is kept for more than a second, and what may come right not at all', (t) => { config(t)['CustomErrorResponses'][1].ErrorCachingMinTTL = 1; }],
  ['no error is kept for more than a second, and what may come right not at all', (t) => { config(t, 'B')['CustomErrorResponses'][8].ErrorCachingMinTTL = 10; }],
  ['exactly the three directives are the key of live playlists', (t) => { policy(t, 'Live')['ParametersInCacheKeyAndForwardedToOrigin'].QueryStringsConfig.QueryStrings.pop(); }],
  ['exactly the three directives are the key of live playlists', (t) => { policy(t, 'Live')['ParametersInCacheKeyAndForwardedToOrigin'].QueryStringsConfig = { QueryStringBehavior: 'all' }; }],
  ['nothing else is in any key', (t) => { policy(t, 'Segments')['ParametersInCacheKeyAndForwardedToOrigin'].QueryStringsConfig = { QueryStringBehavior: 'all' }; }],
  ['nothing else is in any key', (t) => { policy(t, 'Live')['ParametersInCacheKeyAndForwardedToOrigin'].CookiesConfig = { CookieBehavior: 'all' }; }],
  ['nothing else is in any key', (t) => { policy(t, 'Multi')['ParametersInCacheKeyAndForwardedToOrigin'].HeadersConfig = { HeaderBehavior: 'whitelist', Headers: ['Origin'] }; }],
  ['everything is kept as long as the origin says', (t) => { policy(t, 'Live')['MinTTL'] = 1; }],
  ['everything is kept as long as the origin says', (t) => { policy(t, 'Live')['MaxTTL'] = 12; }],
  ['everything is kept as long as the origin says', (t) => { policy(t, 'Segments')['MaxTTL'] = 86400; }],
  ['everything is kept as long as the origin says', (t) => { policy(t, 'Multi')['DefaultTTL'] = 86400; }],
  ['sound has one variant, text is compressed', (t) => { policy(t, 'Segments')['ParametersInCacheKeyAndForwardedToOrigin'].EnableAcceptEncodingGzip = true; }],
  ['sound has one variant, text is compressed', (t) => { config(t)['CacheBehaviors'][0].Compress = false; }],
  ['one place asks the origin', (t) => { origin(t, 1)['OriginShield'].Enabled = false; }],
  ['the origin may block, and a hanging one does not', (t) => { origin(t, 0)['CustomOriginConfig'].OriginReadTimeout = 5; }],
  ['the origin may block, and a hanging one does not', (t) => { origin(t, 0)['ConnectionAttempts'] = 2; }],
  ['the origin may block, and a hanging one does not', (t) => { origin(t, 1)['ConnectionTimeout'] = 10; }],
  ['the origin may block, and a hanging one does not', (t) => { origin(t, 0)['CustomOriginConfig'].OriginKeepaliveTimeout = 120; }],
  ['the origin knows who asks', (t) => { origin(t, 0)['OriginCustomHeaders'][0].HeaderValue = { Ref: 'SecretB' }; }],
  ['the origin knows who asks', (t) => { delete t.Parameters['SecretA']!['NoEcho']; }],
  ['the origin knows who asks', (t) => { origin(t, 1)['OriginCustomHeaders'] = origin(t, 0)['OriginCustomHeaders']; }],
  ['TLS 1.2 on both sides, HTTP/3, IPv6', (t) => { config(t)['ViewerCertificate'].MinimumProtocolVersion = 'TLSv1'; }],
  ['TLS 1.2 on both sides, HTTP/3, IPv6', (t) => { origin(t, 0)['CustomOriginConfig'].OriginProtocolPolicy = 'match-viewer'; }],
  ['TLS 1.2 on both sides, HTTP/3, IPv6', (t) => { config(t)['HttpVersion'] = 'http2'; }],
  ['pages lead to HTTPS, sound plays without', (t) => { config(t)['CacheBehaviors'][1].ViewerProtocolPolicy = 'redirect-to-https'; }],
  ['any page may play it, and knows how old an answer is', (t) => { headers(t)['CorsConfig'].AccessControlExposeHeaders.Items.shift(); }],
  ['any page may play it, and knows how old an answer is', (t) => { headers(t)['CorsConfig'].OriginOverride = false; }],
  ['any page may play it, and knows how old an answer is', (t) => { delete config(t)['CacheBehaviors'][4].ResponseHeadersPolicyId; }],
  ['any page may play it, and knows how old an answer is', (t) => { delete config(t)['DefaultCacheBehavior'].OriginRequestPolicyId; }],
  ['CloudFront shows the bucket who it is', (t) => { delete origin(t, 1)['OriginAccessControlId']; }],
  ['CloudFront shows the bucket who it is', (t) => { props(t, 'AccessControl')['OriginAccessControlConfig'].SigningBehavior = 'no-override'; }],
  ['CloudFront shows the bucket who it is', (t) => { origin(t, 1)['OriginPath'] = ''; }],
  ['the bucket is private, encrypted, and stays', (t) => { bucket(t)['PublicAccessBlockConfiguration'].BlockPublicPolicy = false; }],
  ['the bucket is private, encrypted, and stays', (t) => { t.Resources['StoreBucket4FBDE984']!.DeletionPolicy = 'Delete'; }],
  ['the bucket is private, encrypted, and stays', (t) => { bucket(t)['VersioningConfiguration'] = { Status: 'Enabled' }; }],
  ['nothing in the bucket ends by age', (t) => { bucket(t)['LifecycleConfiguration'].Rules.push({ ExpirationInDays: 7, Status: 'Enabled' }); }],
  ['CloudFront reads what is public, and nothing else', (t) => { statements(t, 'AWS::S3::BucketPolicy').pop(); }],
  ['CloudFront reads what is public, and nothing else', (t) => { delete statements(t, 'AWS::S3::BucketPolicy')[1]!['Condition']; }],
  ['CloudFront reads what is public, and nothing else', (t) => { statements(t, 'AWS::S3::BucketPolicy')[1]!['Action'] = 's3:*'; }],
  ['CloudFront reads what is public, and nothing else', (t) => { statements(t, 'AWS::S3::BucketPolicy')[2]!['Principal'] = { AWS: '*' }; delete statements(t, 'AWS::S3::BucketPolicy')[2]!['Condition']; }],
  ['CloudFront reads what is public, and nothing else', (t) => { statements(t, 'AWS::S3::BucketPolicy').shift(); }],
  ['a packager keeps objects below its prefix, and nothing else', (t) => { statements(t, 'AWS::IAM::ManagedPolicy')[0]!['Action'] = 's3:*'; }],
  ['a packager keeps objects below its prefix, and nothing else', (t) => { statements(t, 'AWS::IAM::ManagedPolicy')[0]!['Action'].pop(); }],
  ['a packager keeps objects below its prefix, and nothing else', (t) => { delete statements(t, 'AWS::IAM::ManagedPolicy')[1]!['Condition']; }],
  ['a packager keeps objects below its prefix, and nothing else', (t) => { statements(t, 'AWS::IAM::ManagedPolicy')[0]!['Resource']['Fn::Join'][1].splice(1, 2, ''); }],
  ['who asks too often is counted', (t) => { t.Parameters['RateAction']!['Default'] = 'BLOCK'; }],
  ['who asks too often is counted', (t) => { delete config(t, 'B')['WebACLId']; }],
  ['somebody is woken', (t) => { alarms(t)[0]!['AlarmActions'] = []; }],
  ['somebody is woken', (t) => { alarms(t)[1]!['Threshold'] = 50; }],
  ['somebody is woken', (t) => { delete t.Resources['MonitoringB']; }],
  ['somebody is woken', (t) => { delete bucket(t)['MetricsConfigurations']; }],
  ['CloudWatch may publish alarms, nobody in the clear', (t) => { statements(t, 'AWS::SNS::TopicPolicy').shift(); }],
  ['CloudWatch may publish alarms, nobody in the clear', (t) => { statements(t, 'AWS::SNS::TopicPolicy').pop(); }],
  ['no log of listeners', (t) => { config(t)['Logging'] = { Bucket: 'logs' }; }],
  ['two stacks do not collide', (t) => { policy(t, 'Live')['Name'] = 'longwave'; }],
  ['two stacks do not collide', (t) => { bucket(t)['BucketName'] = 'longwave'; }],
  ['only what cannot be known is asked', (t) => { delete t.Parameters['PriceClass']!['Default']; }],
];
mistakes.forEach(([rule, make], i) => test(`mistake ${i + 1} breaks: ${rule}`, () => {
  const t = read('template.json');
  make(t);
  assert.deepEqual(broken(t), [rule]);
}));

test('there is a mistake for every rule', () => {
  assert.deepEqual(Object.keys(rules).filter((name) => !mistakes.some(([rule]) => rule === name)), []);
});

test('BLOCK blocks', () => {
  const d = new Deployed(read('template.json'), { ...given, RateAction: 'BLOCK', RateLimit: '12000' });
  const rule = d.one('AWS::WAFv2::WebACL')['Rules'][0];
  assert.deepEqual([rule.Action, rule.Statement.RateBasedStatement.Limit], [{ Block: {} }, '12000']);
});

test('an address for alarms is subscribed, none is not', () => {
  const t = read('template.json');
  assert.deepEqual(new Deployed(t).of('AWS::SNS::Subscription'), []);
  assert.deepEqual(new Deployed(t, { ...given, AlarmEmail: 'night@example.org' }).of('AWS::SNS::Subscription').map(([, p]) => p),
    [{ Endpoint: 'night@example.org', Protocol: 'email', TopicArn: 'Alarms04B5A0BF' }]);
});

const elsewhere = 'bucket.s3.eu-central-1.amazonaws.com';
const ofBucket = ['AWS::S3::Bucket', 'AWS::S3::BucketPolicy', 'AWS::IAM::ManagedPolicy'];

test('one bucket elsewhere: the other way keeps the one made here', () => {
  const d = new Deployed(read('template.json'), { ...given, StoreA: elsewhere });
  const hosts = d.of('AWS::CloudFront::Distribution').map(([, p]) => p['DistributionConfig'].Origins[1].DomainName);
  assert.deepEqual(hosts, [elsewhere, 'StoreBucket4FBDE984.RegionalDomainName']);
});

// Deployed refuses references to what is not made.
test('both buckets elsewhere: none is made here', () => {
  const d = new Deployed(read('template.json'), { ...given, StoreA: elsewhere, StoreB: elsewhere });
  assert.deepEqual(ofBucket.flatMap((type) => d.of(type)), []);
  assert.equal(d.of('AWS::CloudWatch::Alarm').length, 6);
  assert.deepEqual(Object.keys(d.outputs), ['TargetA', 'TargetB', 'Topic']);
});

test('store.json has the same bucket, for any distribution of the account', () => {
  const t = read('store.json');
  const d = new Deployed(t, { Prefix: 'a' });
  const here = new Deployed(read('template.json'));
  assert.deepEqual(d.one('AWS::S3::Bucket'), here.one('AWS::S3::Bucket'));
  assert.deepEqual(d.one('AWS::IAM::ManagedPolicy'), here.of('AWS::IAM::ManagedPolicy')[0]![1]);
  const [tls, own, , hidden] = statements(read('template.json'), 'AWS::S3::BucketPolicy');
  const want = structuredClone([tls, own, hidden]) as Props[];
  want[1]!['Sid'] = 'Read';
  want[1]!['Condition'].ArnLike['aws:SourceArn'] = { 'Fn::Sub': 'arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*' };
  assert.equal(JSON.stringify(statements(t, 'AWS::S3::BucketPolicy')), JSON.stringify(want).replaceAll('PrefixA', 'Prefix'));
  assert.deepEqual(d.of('AWS::CloudWatch::Alarm').map(([, p]) => p['Threshold']), [30000, 100]);
});

const patterns: [string, string, boolean][] = [
  ['DomainA', 'cdn-a.example.org', true], ['DomainA', 'https://cdn-a.example.org', false], ['DomainA', 'localhost', false],
  ['CertificateB', 'arn:aws:acm:us-east-1:111122223333:certificate/x', true], ['CertificateB', 'arn:aws:acm:eu-central-1:111122223333:certificate/x', false],
  ['SecretA', 'a'.repeat(32), true], ['SecretA', 'a'.repeat(31), false], ['SecretA', `${'a'.repeat(32)}\n`, false], ['SecretA', `two words ${'a'.repeat(32)}`, false],
  ['PrefixA', 'a', true], ['PrefixA', '', false], ['PrefixA', '_', false], ['PrefixA', 'a/', false], ['PrefixA', 'a/b', false],
  ['StoreA', '', true], ['StoreA', elsewhere, true], ['StoreA', `${elsewhere}/a`, false],
  ['AlarmEmail', '', true], ['AlarmEmail', 'night@example.org', true], ['AlarmEmail', 'night', false],
];
test('parameters are looked at', () => {
  const { Parameters } = read('template.json');
  for (const [name, value, want] of patterns) {
    // CloudFormation matches the whole value, as "$" without "m" does but for a newline at the end.
    const got = new RegExp(Parameters[name]!['AllowedPattern']).exec(value)?.[0] === value;
    assert.equal(got, want, `${name}=${JSON.stringify(value)}`);
  }
});
