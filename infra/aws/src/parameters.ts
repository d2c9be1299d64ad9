// What is asked of who deploys. Everything is a CloudFormation parameter, so the
// committed template is the whole product: nobody needs Node.js to use it.
import { CfnCondition, CfnParameter, type CfnParameterProps, Fn, Stack } from 'aws-cdk-lib';

/** The two ways to listeners. */
export const ways = ['A', 'B'] as const;
export type Way = (typeof ways)[number];

/** What one way is told. */
export interface WayParameters {
  readonly domain: string;
  readonly certificate: string;
  readonly origin: string;
  readonly secret: string;
  readonly prefix: string;
  readonly shieldRegion: string;
  /** Host of a bucket that store.json made; empty: the bucket of this stack. */
  readonly store: string;
}

/** Regions that have Origin Shield. */
const shieldRegions = [
  'us-east-1', 'us-east-2', 'us-west-2', 'sa-east-1', 'eu-central-1', 'eu-west-1', 'eu-west-2',
  'ap-northeast-1', 'ap-northeast-2', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2',
];

const host = '[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+';

/** One path element that packager.ValidName takes, never "_". */
export const prefixPattern = '^[a-z0-9][a-z0-9_-]{0,62}$';

export function parameter(stack: Stack, name: string, props: CfnParameterProps): CfnParameter {
  return new CfnParameter(stack, name, { type: 'String', ...props });
}

export function wayParameters(stack: Stack, way: Way): WayParameters {
  const text = (name: string, props: CfnParameterProps) => parameter(stack, name + way, props).valueAsString;
  return {
    domain: text('Domain', {
      description: `Name that listeners of way ${way} ask for, such as cdn-${way.toLowerCase()}.example.org`,
      allowedPattern: `^${host}$`,
    }),
    certificate: text('Certificate', {
      description: 'ARN of its certificate in ACM, in us-east-1',
      allowedPattern: '^arn:aws:acm:us-east-1:[0-9]{12}:certificate/.+$',
    }),
    origin: text('Origin', {
      description: 'Host name of the Longwave origin behind it (HTTPS, port 443)',
      allowedPattern: `^${host}$`,
    }),
    secret: text('Secret', {
      description: 'A line of the origin\'s shield.secret_file: 32 or more letters and digits',
      allowedPattern: '^[A-Za-z0-9_-]{32,128}$',
      constraintDescription: 'must be 32 to 128 letters, digits, "-" or "_"',
      noEcho: true,
    }),
    prefix: text('Prefix', {
      description: `store.s3.prefix of the node behind it, without the slash; twins have different ones`,
      default: way.toLowerCase(),
      allowedPattern: prefixPattern,
    }),
    shieldRegion: text('Shield', {
      description: 'Region of Origin Shield: the one nearest to the origin',
      default: 'eu-central-1',
      allowedValues: shieldRegions,
    }),
    store: text('Store', {
      description: 'Host of a bucket made with store.json in another region; empty: the bucket made here',
      default: '',
      allowedPattern: `^(${host})?$`,
    }),
  };
}

/** What both ways share. */
export interface SharedParameters {
  readonly priceClass: string;
  readonly rateLimit: CfnParameter;
  readonly rateBlocks: CfnCondition;
}

export function sharedParameters(stack: Stack): SharedParameters {
  const rateAction = parameter(stack, 'RateAction', {
    description: 'COUNT only counts who asks too often; BLOCK answers them with 403. Count first, and look',
    default: 'COUNT',
    allowedValues: ['COUNT', 'BLOCK'],
  });
  return {
    priceClass: parameter(stack, 'PriceClass', {
      description: 'Where the edges are: PriceClass_100 is Europe and North America',
      default: 'PriceClass_All',
      allowedValues: ['PriceClass_100', 'PriceClass_200', 'PriceClass_All'],
    }).valueAsString,
    rateLimit: parameter(stack, 'RateLimit', {
      type: 'Number',
      description: 'Requests a minute from one address. A listener makes about 380; a school or a carrier is one address',
      default: 6000,
      minValue: 1000,
    }),
    rateBlocks: new CfnCondition(stack, 'RateBlocks', { expression: Fn.conditionEquals(rateAction, 'BLOCK') }),
  };
}

/** Who is woken, and from where on. */
export interface AlarmParameters {
  readonly email: string;
  readonly emailGiven: CfnCondition;
  readonly bucketRequests: CfnParameter;
  readonly bucketGigabytes: CfnParameter;
}

export function alarmParameters(stack: Stack): AlarmParameters {
  const email = parameter(stack, 'AlarmEmail', {
    description: 'Where alarms go, besides the topic; empty: nowhere',
    default: '',
    allowedPattern: '^([^@ ]+@[^@ ]+)?$',
  });
  return {
    email: email.valueAsString,
    emailGiven: new CfnCondition(stack, 'EmailGiven', { expression: Fn.conditionNot(Fn.conditionEquals(email, '')) }),
    bucketRequests: parameter(stack, 'BucketRequests', {
      type: 'Number',
      description: 'Alarm when the bucket gets more requests than this in five minutes',
      default: 30000,
      minValue: 1,
    }),
    bucketGigabytes: parameter(stack, 'BucketGigabytes', {
      type: 'Number',
      description: 'Alarm when the bucket holds more than this',
      default: 100,
      minValue: 1,
    }),
  };
}
