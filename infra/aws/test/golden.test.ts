import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App, BootstraplessSynthesizer, Stack, Validations } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { fromRoot } from '../src/place.js';
import { templates } from '../src/write.js';

let out = '';
before(() => { out = mkdtempSync(join(tmpdir(), 'longwave-aws-')); });
after(() => rmSync(out, { recursive: true }));

// Making them runs cdk-nag, which throws when there is a finding that nobody answered for.
test('the committed templates are what the source makes', () => {
  const made = templates(join(out, 'made'));
  assert.deepEqual([...made.keys()], ['template.json', 'store.json']);
  for (const [file, text] of made) {
    assert.equal(readFileSync(fromRoot(file), 'utf8'), text, `${file} is not of this source: make aws`);
    assert.ok(text.length < 51_200, `${file} has ${text.length} bytes: beyond 51,200 it could only be deployed from a bucket`);
    assert.doesNotMatch(text, /cdk-hnb659fds|BootstrapVersion|CDKMetadata/, `${file} needs "cdk bootstrap"`);
  }
});

test('cdk-nag is listened to', (t) => {
  t.mock.method(process.stderr, 'write', () => true); // its report
  t.mock.method(console, 'log', () => {});
  const app = new App({ outdir: join(out, 'bad') });
  new s3.Bucket(new Stack(app, 'open', { synthesizer: new BootstraplessSynthesizer() }), 'Bucket');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  assert.throws(() => app.synth(), /Validation failed/);
});
