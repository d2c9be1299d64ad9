import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { BootstraplessSynthesizer, Stack, Validations } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { checkedApp } from '../src/app.js';
import { fromRoot } from '../src/place.js';
import { templates } from '../src/write.js';

let out = '';
before(() => { out = mkdtempSync(join(tmpdir(), 'longwave-aws-')); });
after(() => rmSync(out, { recursive: true }));

// Making them runs cdk-nag and CloudFormation's validator. Either throws when there is a
// finding that nobody answered for.
test('the committed templates are what the source makes', () => {
  const made = templates(join(out, 'made'));
  assert.deepEqual([...made.keys()], ['template.json', 'store.json']);
  // Not even what is only a warning, such as a value that no list has.
  const report = JSON.parse(readFileSync(join(out, 'made', 'validation-report.json'), 'utf8')) as { pluginReports: unknown[] };
  assert.deepEqual(report.pluginReports, []);
  for (const [file, text] of made) {
    assert.equal(readFileSync(fromRoot(file), 'utf8'), text, `${file} is not of this source: make aws`);
    assert.ok(text.length < 51_200, `${file} has ${text.length} bytes: beyond 51,200 it could only be deployed from a bucket`);
    assert.doesNotMatch(text, /cdk-hnb659fds|BootstrapVersion|CDKMetadata/, `${file} needs "cdk bootstrap"`);
  }
});

/** What synth says of a stack with one bucket. It has to fail. */
function findings(t: TestContext, change: (bucket: s3.Bucket) => void): string {
  const said: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => said.push(text));
  t.mock.method(console, 'log', (text: string) => said.push(text));
  t.mock.method(console, 'error', (text: string) => said.push(text));
  const app = checkedApp(join(out, t.name.replace(/\W/g, '-')));
  change(new s3.Bucket(new Stack(app, 'open', { synthesizer: new BootstraplessSynthesizer() }), 'Bucket', { enforceSSL: true }));
  assert.throws(() => app.synth(), /Validation failed/);
  return said.join('');
}

test('cdk-nag is listened to', (t) => {
  assert.match(findings(t, () => {}), /AwsSolutions-S1/);
});

test('CloudFormation\'s validator is listened to', (t) => {
  const misspell = (bucket: s3.Bucket) => {
    Validations.of(bucket).acknowledge({ id: 'AwsSolutions-S1', reason: 'not looked at here' });
    (bucket.node.defaultChild as s3.CfnBucket).addPropertyOverride('Versioning', 'on');
  };
  assert.match(findings(t, misspell), /'Versioning' was unexpected/);
});
