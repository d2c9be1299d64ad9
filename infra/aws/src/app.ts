// The app: `npx cdk deploy`, `npx cdk synth`.
import { App, BootstraplessSynthesizer, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { EdgeStack } from './edge.js';
import { StoreStack } from './store.js';

/** Makes the app; outdir is where its templates go. */
export function makeApp(outdir?: string): App {
  const app = new App({ analyticsReporting: false, ...(outdir && { outdir }) });
  const synthesizer = () => new BootstraplessSynthesizer();
  new EdgeStack(app, 'longwave', {
    description: 'Longwave: two CloudFront distributions with origin and bucket behind them. Deploy in us-east-1',
    synthesizer: synthesizer(),
  });
  new StoreStack(app, 'longwave-store', {
    description: 'Longwave: a bucket in a region of your choice, for StoreA or StoreB of template.json',
    synthesizer: synthesizer(),
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
