// A committed template as CloudFormation would make it of given parameters.
import { readFileSync } from 'node:fs';
import { fromRoot } from '../src/place.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Props = { [key: string]: any }; // of many shapes; the schema test knows them

export interface Resource {
  Type: string;
  Condition?: string;
  DeletionPolicy?: string;
  Properties: Props;
}

export interface Template {
  Parameters: Record<string, Props>;
  Conditions: Record<string, Json>;
  Resources: Record<string, Resource>;
  Outputs: Record<string, Props>;
}

/** Reads a committed template. */
export function read(name: string): Template {
  const t = JSON.parse(readFileSync(fromRoot(name), 'utf8')) as Template;
  for (const r of Object.values(t.Resources)) r.Properties ??= {};
  return t;
}

/** Parameters that have no default, as somebody would give them. */
export const given: Record<string, string> = Object.fromEntries(['A', 'B'].flatMap((way) => [
  [`Domain${way}`, `cdn-${way.toLowerCase()}.example.org`],
  [`Certificate${way}`, `arn:aws:acm:us-east-1:111122223333:certificate/${way}`],
  [`Origin${way}`, `${way.toLowerCase()}.example.org`],
  [`Secret${way}`, way.repeat(32)],
]));

/** The resources that CloudFormation makes, by logical id, with every intrinsic function worked out. */
export class Deployed {
  readonly resources: Record<string, Resource> = {};
  readonly outputs: Record<string, Json> = {};
  private readonly values: Record<string, Json> = {
    'AWS::AccountId': '111122223333', 'AWS::Region': 'us-east-1', 'AWS::Partition': 'aws', 'AWS::StackName': 'live',
  };

  constructor(readonly template: Template, parameters: Record<string, string> = given) {
    for (const [name, p] of Object.entries(template.Parameters)) this.values[name] = parameters[name] ?? p['Default'];
    for (const [id, r] of Object.entries(template.Resources)) {
      if (this.holds(r.Condition)) this.resources[id] = { ...r, Properties: this.work(r.Properties) as Props };
    }
    for (const [id, o] of Object.entries(template.Outputs)) {
      if (this.holds(o['Condition'])) this.outputs[id] = this.work(o['Value']);
    }
  }

  /** Resources of a type, by logical id. */
  of(type: string): [string, Props][] {
    return Object.entries(this.resources).filter(([, r]) => r.Type === type).map(([id, r]) => [id, r.Properties]);
  }

  /** The properties of the one resource of a type. */
  one(type: string): Props {
    const all = this.of(type);
    if (all.length !== 1) throw new Error(`${all.length} of ${type}`);
    return all[0]![1];
  }

  private holds(condition: string | undefined): boolean {
    return condition === undefined || this.work(this.template.Conditions[condition]!) === true;
  }

  private work(v: Json): Json {
    if (Array.isArray(v)) return v.map((x) => this.work(x));
    if (v === null || typeof v !== 'object') return v;
    const [name, arg] = Object.entries(v)[0] ?? ['', null];
    if (Object.keys(v).length === 1 && name in this.functions) return this.functions[name]!(arg);
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, this.work(x)]));
  }

  /** What { Ref: name } is: a parameter's value, or a resource's id. */
  private ref(name: string): Json {
    if (name in this.values) return this.values[name]!;
    const r = this.template.Resources[name];
    if (!r || !this.holds(r.Condition)) throw new Error(`reference to ${name}, which is not made`);
    return name;
  }

  private readonly functions: Record<string, (arg: any) => Json> = {
    'Ref': (name) => this.ref(name),
    'Fn::GetAtt': ([id, attribute]) => `${String(this.ref(id))}.${attribute}`,
    'Fn::Join': ([by, parts]) => (this.work(parts) as string[]).join(by),
    'Fn::Sub': (text: string) => text.replace(/\$\{([^}]+)\}/g, (_, name) => String(this.ref(name))),
    'Fn::If': ([condition, yes, no]) => this.work(this.holds(condition) ? yes : no),
    'Fn::Equals': ([a, b]) => this.work(a) === this.work(b),
    'Fn::Not': ([a]) => !this.work(a),
    'Fn::Or': (all: Json[]) => all.some((x) => this.work(x)),
  };
}
