// The bucket: private, written by the packager alone, read by CloudFront alone.
import { CfnOutput, Duration, Fn, RemovalPolicy, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { bucketAlarms, topic } from './alarms.js';
import { alarmParameters, parameter, prefixPattern } from './parameters.js';

/** Who reads and writes below one prefix. */
export interface Room {
  /** Ends the ids of what is made for it: "A". */
  readonly name: string;
  /** Without a slash. */
  readonly prefix: string;
  /** ARN of the distribution that may read; "*" stands for any characters. */
  readonly reader: string;
}

/** The bucket with its policy, and a policy for the packager of each room. */
export class Store extends Construct {
  readonly bucket: s3.Bucket;
  readonly writers: ReadonlyMap<string, iam.ManagedPolicy>;

  constructor(scope: Construct, id: string, rooms: Room[]) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      encryption: s3.BucketEncryption.S3_MANAGED,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      // A key, once written, keeps its bytes (conditional writes), so there is nothing to
      // go back to; playlists are rewritten 45,000 times a day, and S3 slows down on keys
      // with very many versions.
      versioned: false,
      // Nothing is deleted by age here: an init segment is written once and needed for
      // ever. The packager deletes what no playlist names (store.keep).
      lifecycleRules: [{ id: 'uploads-never-finished', abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      cors: [{
        allowedMethods: [s3.HttpMethods.GET, s3.HttpMethods.HEAD],
        allowedOrigins: ['*'],
        allowedHeaders: ['*'],
        exposedHeaders: ['Age', 'Date', 'Content-Length', 'Content-Range'],
        maxAge: 86400,
      }],
      metrics: [{ id: 'everything' }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    for (const room of rooms) this.letRead(room);
    this.hidePrivate();
    this.writers = new Map(rooms.map((room) => [room.name, this.writer(room)]));
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Access logs would hold listeners\' addresses and a line a request; CloudFront is the only reader, request metrics count it',
    });
  }

  private letRead(room: Room): void {
    this.bucket.addToResourcePolicy(new iam.PolicyStatement({
      sid: `Read${room.name}`,
      principals: [new iam.ServicePrincipal('cloudfront.amazonaws.com')],
      actions: ['s3:GetObject'],
      resources: [this.bucket.arnForObjects(`${room.prefix}/*`)],
      // The ARN holds the account. CloudFront is not known to send aws:SourceAccount.
      conditions: { ArnLike: { 'aws:SourceArn': room.reader } },
    }));
  }

  /** Settings, keys and revoked tokens lie below "_/": no station and no rendition can be called "_". */
  private hidePrivate(): void {
    this.bucket.addToResourcePolicy(new iam.PolicyStatement({
      sid: 'HidePrivate',
      effect: iam.Effect.DENY,
      principals: [new iam.ServicePrincipal('cloudfront.amazonaws.com')],
      actions: ['s3:*'],
      resources: [this.bucket.arnForObjects('_/*'), this.bucket.arnForObjects('*/_/*')],
    }));
  }

  /** What the packager may do, and no more (see longwave/origin/store/s3). */
  private writer(room: Room): iam.ManagedPolicy {
    const policy = new iam.ManagedPolicy(this, `Writer${room.name}`, {
      description: 'Longwave: keep objects below one prefix of the bucket',
      statements: [
        new iam.PolicyStatement({
          sid: 'Objects',
          actions: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
          resources: [this.bucket.arnForObjects(`${room.prefix}/*`)],
        }),
        new iam.PolicyStatement({
          sid: 'List',
          actions: ['s3:ListBucket'],
          resources: [this.bucket.bucketArn],
          conditions: { StringLike: { 's3:prefix': `${room.prefix}/*` } },
        }),
      ],
    });
    Validations.of(policy).acknowledge({
      id: `AwsSolutions-IAM5[Resource::<${this.idOf(this.bucket)}.Arn>/<Prefix${room.name}>/*]`,
      reason: 'Keys are made of station, rendition and time: the wildcard is all below one prefix of one bucket',
    });
    return policy;
  }

  private idOf(bucket: s3.Bucket): string {
    return Stack.of(this).getLogicalId(bucket.node.defaultChild as s3.CfnBucket);
  }
}

/** store.json: the bucket alone, for a region other than the distributions' us-east-1. */
export class StoreStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps) {
    super(scope, id, props);
    const prefix = parameter(this, 'Prefix', {
      description: 'store.s3.prefix of the node that writes here, without the slash',
      default: 'a',
      allowedPattern: prefixPattern,
    }).valueAsString;
    const store = new Store(this, 'Store', [{
      name: '', prefix, reader: Fn.sub('arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*'),
    }]);
    const watch = alarmParameters(this);
    const alarms = topic(this, watch);
    bucketAlarms(this, store.bucket, watch, alarms);
    new CfnOutput(this, 'Topic', { description: 'Topic of the alarms', value: alarms.topicArn });
    new CfnOutput(this, 'Bucket', { description: 'store.s3.bucket', value: store.bucket.bucketName });
    new CfnOutput(this, 'Host', { description: 'StoreA or StoreB of template.json', value: store.bucket.bucketRegionalDomainName });
    new CfnOutput(this, 'Writer', { description: 'Policy for the packager\'s role or user', value: store.writers.get('')!.managedPolicyArn });
  }
}
