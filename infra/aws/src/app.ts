// The app: `npx cdk deploy`, `npx cdk synth`.
import { App, BootstraplessSynthesizer, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { EdgeStack } from './edge.js';
import { StoreStack } from './store.js';

/**
 * An app whose stacks are looked at when they are made: by CloudFormation's own validator,
 * which is part of the CDK, and by cdk-nag. outdir is where templates and report go.
 */
export function checkedApp(outdir?: string): App {
  const app = new App({
    analyticsReporting: false,
    // What the validator finds is an error, not a warning.
    context: { '@aws-cdk/core:validateAgainstDefaultRules': true },
    ...(outdir && { outdir }),
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

/** Makes the app with both stacks. */
export function makeApp(outdir?: string): App {
  const app = checkedApp(outdir);
  const synthesizer = () => new BootstraplessSynthesizer();
  new EdgeStack(app, 'longwave', {
    description: 'Longwave: two CloudFront distributions with origin and bucket behind them. Deploy in us-east-1',
    synthesizer: synthesizer(),
  });
  new StoreStack(app, 'longwave-store', {
    description: 'Longwave: a bucket in a region of your choice, for StoreA or StoreB of template.json',
    synthesizer: synthesizer(),
  });
  return app;
}
