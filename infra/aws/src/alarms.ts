// What wakes somebody. CloudFront publishes its figures in us-east-1 only.
import { Aws, Duration, Fn, type Stack } from 'aws-cdk-lib';
import type * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { AlarmParameters, Way } from './parameters.js';

/** The topic that alarms are sent to, and the e-mail address where one is given. */
export function topic(stack: Stack, p: AlarmParameters): sns.Topic {
  // Without a key of its own: an alarm's text is no secret, CloudWatch cannot publish under
  // the key that AWS manages, and one's own costs more than the alarms.
  const t = new sns.Topic(stack, 'Alarms', { enforceSSL: true });
  t.addToResourcePolicy(new iam.PolicyStatement({
    sid: 'Alarms',
    principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
    actions: ['sns:Publish'],
    resources: [t.topicArn],
    conditions: {
      StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
      ArnLike: { 'aws:SourceArn': Fn.sub('arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*') },
    },
  }));
  const mail = new sns.CfnSubscription(stack, 'AlarmMail', { topicArn: t.topicArn, protocol: 'email', endpoint: p.email });
  mail.cfnOptions.condition = p.emailGiven;
  return t;
}

/** An alarm. No figures means that nobody listens, which is no fault of ours. */
function alarm(stack: Stack, id: string, to: sns.Topic, props: cw.AlarmProps): cw.Alarm {
  const a = new cw.Alarm(stack, id, {
    comparisonOperator: cw.ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: cw.TreatMissingData.NOT_BREACHING,
    ...props,
  });
  a.addAlarmAction(new SnsAction(to));
  a.addOkAction(new SnsAction(to));
  return a;
}

/** The alarms of one way. */
export function wayAlarms(stack: Stack, way: Way, d: cloudfront.CfnDistribution, to: sns.Topic): void {
  const metric = (metricName: string, statistic: string) => new cw.Metric({
    namespace: 'AWS/CloudFront',
    metricName,
    statistic,
    period: Duration.minutes(1),
    dimensionsMap: { DistributionId: d.attrId, Region: 'Global' },
  });
  // A rate of few requests says little: one robot's ten wrong guesses at night are 100 %.
  const rate = (name: string, least: number) => new cw.MathExpression({
    expression: `IF(requests > ${least}, errors, 0)`,
    period: Duration.minutes(1),
    usingMetrics: { requests: metric('Requests', cw.Stats.SUM), errors: metric(name, cw.Stats.AVERAGE) },
  });
  const mostly = { evaluationPeriods: 5, datapointsToAlarm: 3 };
  alarm(stack, `Errors5xx${way}`, to, {
    ...mostly,
    alarmDescription: `Way ${way}: more than 1 % of the answers are 5xx: origin and bucket fail`,
    metric: rate('5xxErrorRate', 100),
    threshold: 1,
  });
  alarm(stack, `Errors4xx${way}`, to, {
    ...mostly,
    alarmDescription: `Way ${way}: more than 5 % of the answers are 4xx: a wrong address is about, somebody probes, or the rate rule blocks`,
    metric: rate('4xxErrorRate', 1000),
    threshold: 5,
  });
  alarm(stack, `OriginLatency${way}`, to, {
    ...mostly,
    alarmDescription: `Way ${way}: a tenth of what the origin is asked takes longer than 3 s; blocked requests wait less than a target duration, 2 s`,
    metric: metric('OriginLatency', cw.Stats.percentile(90)),
    threshold: 3000,
  });
}

/** The alarms of the bucket: what could cost money unseen. */
export function bucketAlarms(stack: Stack, bucket: s3.Bucket, p: AlarmParameters, to: sns.Topic): cw.Alarm[] {
  const metric = (metricName: string, more: Record<string, string>, statistic: string, period: Duration) => new cw.Metric({
    namespace: 'AWS/S3', metricName, statistic, period, dimensionsMap: { BucketName: bucket.bucketName, ...more },
  });
  return [
    alarm(stack, 'BucketRequestsHigh', to, {
      alarmDescription: 'The bucket gets more requests than agreed: every one is paid for',
      metric: metric('AllRequests', { FilterId: 'everything' }, cw.Stats.SUM, Duration.minutes(5)),
      evaluationPeriods: 1,
      threshold: p.bucketRequests.valueAsNumber,
    }),
    alarm(stack, 'BucketSizeHigh', to, {
      alarmDescription: 'The bucket holds more than agreed: does the packager still delete (store.keep)?',
      metric: new cw.MathExpression({
        expression: 'bytes / 1000000000',
        period: Duration.days(1),
        usingMetrics: { bytes: metric('BucketSizeBytes', { StorageType: 'StandardStorage' }, cw.Stats.AVERAGE, Duration.days(1)) },
      }),
      evaluationPeriods: 1,
      threshold: p.bucketGigabytes.valueAsNumber,
    }),
  ];
}
