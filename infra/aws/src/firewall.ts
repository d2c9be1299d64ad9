import { Fn, type Stack } from 'aws-cdk-lib';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import type { SharedParameters } from './parameters.js';

const visible = (metricName: string) => ({ cloudWatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName });

/** One rule: who asks too often is counted, or blocked. It needs us-east-1. */
export function firewall(stack: Stack, p: SharedParameters): wafv2.CfnWebACL {
  return new wafv2.CfnWebACL(stack, 'Firewall', {
    scope: 'CLOUDFRONT',
    description: 'Longwave: requests a minute and address',
    defaultAction: { allow: {} },
    visibilityConfig: visible('longwave'),
    rules: [{
      name: 'rate',
      priority: 0,
      statement: {
        rateBasedStatement: { aggregateKeyType: 'IP', evaluationWindowSec: 60, limit: p.rateLimit.valueAsNumber },
      },
      // Not 429: hls.js takes it as an order to ask later, and stops steering.
      action: Fn.conditionIf(p.rateBlocks.logicalId, { Block: {} }, { Count: {} }),
      visibilityConfig: visible('longwave-rate'),
    }],
  });
}
