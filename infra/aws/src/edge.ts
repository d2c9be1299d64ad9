// template.json: two distributions, a bucket behind them, and what watches over both.
import { Aws, CfnCondition, CfnOutput, CfnResource, Fn, Stack, type StackProps, Token, Validations } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import type { Construct } from 'constructs';
import { bucketAlarms, topic, wayAlarms } from './alarms.js';
import { cachePolicies, responseHeaders } from './caching.js';
import { distribution } from './distribution.js';
import { firewall } from './firewall.js';
import { alarmParameters, sharedParameters, type Way, type WayParameters, wayParameters, ways } from './parameters.js';
import { Store } from './store.js';

export class EdgeStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps) {
    super(scope, id, props);
    const by = new Map<Way, WayParameters>(ways.map((way) => [way, wayParameters(this, way)]));
    const shared = sharedParameters(this);
    const watch = alarmParameters(this);
    const store = new Store(this, 'Store', ways.map((way) => ({
      name: way, prefix: by.get(way)!.prefix, reader: this.arnOf(way),
    })));
    const policies = cachePolicies(this);
    const headers = responseHeaders(this);
    const webAcl = firewall(this, shared).attrArn;
    const accessControl = new cloudfront.CfnOriginAccessControl(this, 'AccessControl', {
      originAccessControlConfig: {
        name: Aws.STACK_NAME, originAccessControlOriginType: 's3', signingBehavior: 'always', signingProtocol: 'sigv4',
      },
    });
    const alarms = topic(this, watch);
    const own = this.ownBucket(by);
    for (const [way, parameters] of by) {
      const here = new CfnCondition(this, `BucketHere${way}`, { expression: Fn.conditionEquals(parameters.store, '') });
      const host = Token.asString(Fn.conditionIf(here.logicalId, store.bucket.bucketRegionalDomainName, parameters.store));
      const d = distribution(this, way, {
        parameters, store: host, policies, headers, accessControl, webAcl, priceClass: shared.priceClass,
      });
      this.acknowledge(d);
      new cloudfront.CfnMonitoringSubscription(this, `Monitoring${way}`, {
        distributionId: d.attrId,
        monitoringSubscription: { realtimeMetricsSubscriptionConfig: { realtimeMetricsSubscriptionStatus: 'Enabled' } },
      });
      wayAlarms(this, way, d, alarms);
      new CfnOutput(this, `Target${way}`, { description: `CNAME of Domain${way}`, value: d.attrDomainName });
      new CfnOutput(this, `Writer${way}`, {
        description: `Policy for the role or user of the packager behind way ${way}`, value: store.writers.get(way)!.managedPolicyArn, condition: own,
      });
    }
    const ofBucket = [store, ...bucketAlarms(this, store.bucket, watch, alarms)];
    for (const c of ofBucket.flatMap((o) => o.node.findAll())) {
      if (c instanceof CfnResource) c.cfnOptions.condition = own;
    }
    new CfnOutput(this, 'Bucket', { description: 'store.s3.bucket', value: store.bucket.bucketName, condition: own });
    new CfnOutput(this, 'Topic', { description: 'Topic of the alarms', value: alarms.topicArn });
  }

  /** The ARN of a distribution, before it is made. */
  private arnOf(way: Way): string {
    return Fn.sub(`arn:\${AWS::Partition}:cloudfront::\${AWS::AccountId}:distribution/\${Distribution${way}}`);
  }

  /** Holds unless both ways read buckets that were made elsewhere. */
  private ownBucket(by: Map<Way, WayParameters>): CfnCondition {
    const empty = [...by.values()].map((p) => Fn.conditionEquals(p.store, ''));
    return new CfnCondition(this, 'OwnBucket', { expression: Fn.conditionOr(...empty) });
  }

  private acknowledge(d: cloudfront.CfnDistribution): void {
    Validations.of(d).acknowledge({
      id: 'AwsSolutions-CFR1',
      reason: 'Radio is for everybody: who may not listen from where is for the publisher to say',
    });
    Validations.of(d).acknowledge({
      id: 'AwsSolutions-CFR3',
      reason: 'Access logs would hold every listener\'s address, six lines a second and listener; figures come from metrics and the player\'s beacon',
    });
  }
}
