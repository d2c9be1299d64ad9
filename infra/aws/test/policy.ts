// What an IAM or bucket policy allows: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
import type { Props } from './template.js';

export interface Request {
  readonly action: string;
  readonly resource: string;
  /** The service that asks; undefined: whoever the policy is attached to. */
  readonly service?: string;
  /** Condition keys, such as "aws:SourceArn". */
  readonly context?: Record<string, string>;
}

/** Reports whether the statements allow r: one allows it and none denies it. */
export function allows(statements: Props[], r: Request): boolean {
  const effects = statements.filter((s) => applies(s, r)).map((s) => s['Effect'] as string);
  return effects.includes('Allow') && !effects.includes('Deny');
}

function applies(s: Props, r: Request): boolean {
  for (const key of Object.keys(s)) {
    if (!['Sid', 'Effect', 'Principal', 'Action', 'Resource', 'Condition'].includes(key)) throw new Error(`statement with ${key}`);
  }
  return some(s['Action'], r.action) && some(s['Resource'], r.resource) && principal(s['Principal'], r) && conditions(s['Condition'], r);
}

function principal(p: Props | '*' | undefined, r: Request): boolean {
  if (p === undefined) return r.service === undefined;
  return p === '*' || p['AWS'] === '*' || (r.service !== undefined && list(p['Service']).includes(r.service));
}

function conditions(c: Props | undefined, r: Request): boolean {
  return Object.entries(c ?? {}).every(([operator, keys]) => Object.entries(keys as Props).every(([key, want]) => {
    const got = r.context?.[key];
    switch (operator) {
      case 'StringEquals': return got !== undefined && list(want).includes(got);
      case 'StringLike':
      case 'ArnLike': return got !== undefined && some(want, got);
      case 'Bool': return (got ?? 'true') === want; // requests come by TLS
      default: throw new Error(`condition ${operator}`);
    }
  }));
}

const list = (v: unknown): string[] => (Array.isArray(v) ? v : [v]) as string[];

function some(patterns: unknown, s: string): boolean {
  return list(patterns).some((p) => {
    const escaped = p.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.');
    return new RegExp(`^${escaped}$`, 's').test(s);
  });
}
