import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints } from './schema.js';
import { read, type Template } from './template.js';

for (const file of ['template.json', 'store.json']) {
  test(`${file}: CloudFormation knows all that it says`, () => assert.deepEqual(complaints(read(file)), []));
}

const config = (t: Template) => t.Resources['DistributionA']!.Properties['DistributionConfig'];

const mistakes: [string, (t: Template) => void, string][] = [
  ['a type that does not exist', (t) => { t.Resources['Firewall']!.Type = 'AWS::WAFv2::WebAcl'; }, 'Firewall: no type AWS::WAFv2::WebAcl'],
  ['a misspelt property', (t) => { config(t).HTTPVersion = 'http2'; }, 'DistributionA.DistributionConfig: no property HTTPVersion'],
  ['a missing one', (t) => { delete config(t).Origins[0].Id; }, 'DistributionA.DistributionConfig.Origins[0]: Id is missing'],
  ['a text for a number', (t) => { config(t).Origins[0].ConnectionTimeout = '3'; }, 'DistributionA.DistributionConfig.Origins[0].ConnectionTimeout: "3" is no integer'],
  ['a text for a list', (t) => { config(t).Aliases = 'x'; }, 'DistributionA.DistributionConfig.Aliases: "x" is no array'],
  ['a list for an object', (t) => { config(t).ViewerCertificate = []; }, 'DistributionA.DistributionConfig.ViewerCertificate: [] is no ref'],
  ['a parameter that is not asked for', (t) => { delete t.Parameters['PriceClass']; }, '/Resources/DistributionA/Properties/DistributionConfig/PriceClass: no PriceClass'],
  ['an attribute that is not there', (t) => { config(t).WebACLId = { 'Fn::GetAtt': ['Firewall', 'ARN'] }; }, '/Resources/DistributionA/Properties/DistributionConfig/WebACLId: AWS::WAFv2::WebACL has no attribute ARN'],
  ['a condition that is not there', (t) => { t.Resources['AlarmMail']!.Condition = 'Mail'; }, '/Resources/AlarmMail: no condition Mail'],
];
for (const [name, make, want] of mistakes) {
  test(`it finds ${name}`, () => {
    const t = read('template.json');
    make(t);
    assert.equal(complaints(t)[0], want);
  });
}
