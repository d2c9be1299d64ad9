// A template against AWS's own description of its resources: unknown, missing and wrongly
// typed properties, and references to what does not exist.
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import type { Property, PropertyType, Resource as Spec, SpecDatabase } from '@aws-cdk/service-spec-types';
import type { Template } from './template.js';

/** Returns one line for each thing that CloudFormation would not take. */
export function complaints(t: Template): string[] {
  return new Lint(t).run();
}

class Lint {
  private static db: SpecDatabase | undefined;
  private readonly found: string[] = [];

  constructor(private readonly t: Template) {
    Lint.db ??= loadAwsServiceSpecSync();
  }

  run(): string[] {
    for (const [id, r] of Object.entries(this.t.Resources)) {
      const spec = this.spec(r.Type);
      if (!spec) this.found.push(`${id}: no type ${r.Type}`);
      else this.object(id, r.Properties, spec.properties);
    }
    this.references('', this.t);
    return this.found;
  }

  private spec(type: string): Spec | undefined {
    return Lint.db!.lookup('resource', 'cloudFormationType', 'equals', type)[0];
  }

  private object(at: string, v: object, properties: Record<string, Property>): void {
    for (const key of Object.keys(v)) if (!properties[key]) this.found.push(`${at}: no property ${key}`);
    for (const [key, p] of Object.entries(properties)) {
      const value = (v as Record<string, unknown>)[key];
      if (value !== undefined) this.value(`${at}.${key}`, value, [p.type, ...(p.previousTypes ?? [])]);
      else if (p.required) this.found.push(`${at}: ${key} is missing`);
    }
  }

  /** A value has one of these types. Intrinsic functions are looked at elsewhere. */
  private value(at: string, v: unknown, types: PropertyType[]): void {
    if (isFunction(v)) return;
    const tried = types.map((type) => {
      const before = this.found.splice(0);
      this.typed(at, v, type);
      return this.found.splice(0, this.found.length, ...before);
    });
    if (!tried.some((found) => found.length === 0)) this.found.push(...tried[0]!);
  }

  private typed(at: string, v: unknown, type: PropertyType): void {
    const wrong = () => this.found.push(`${at}: ${JSON.stringify(v)} is no ${type.type}`);
    switch (type.type) {
      case 'json': case 'tag': return;
      case 'string': case 'date-time': return void (typeof v === 'string' || typeof v === 'number' || wrong());
      case 'number': case 'integer': return void (typeof v === 'number' || wrong());
      case 'boolean': return void (typeof v === 'boolean' || wrong());
      case 'array': return void (Array.isArray(v) ? v.forEach((x, i) => this.value(`${at}[${i}]`, x, [type.element])) : wrong());
      case 'map': return void Object.entries(v as object).forEach(([k, x]) => this.value(`${at}.${k}`, x, [type.element]));
      case 'union': return this.value(at, v, type.types);
      case 'ref':
        if (typeof v !== 'object' || v === null || Array.isArray(v)) return void wrong();
        return this.object(at, v, Lint.db!.get('typeDefinition', type.reference.$ref).properties);
      default: this.found.push(`${at}: the description has the type ${type.type}, which is not known here`);
    }
  }

  /** Every Ref, GetAtt, Sub, If and Condition names something that is there. */
  private references(at: string, v: unknown): void {
    if (v === null || typeof v !== 'object') return;
    for (const [key, x] of Object.entries(v)) {
      if (key === 'Ref') this.name(at, x as string);
      if (key === 'Fn::Sub') for (const [, name] of (x as string).matchAll(/\$\{([^}]+)\}/g)) this.name(at, name!);
      if (key === 'Fn::GetAtt') this.attribute(at, x as [string, string]);
      const condition = key === 'Fn::If' ? (x as string[])[0] : key === 'Condition' && typeof x === 'string' ? x : undefined;
      if (condition !== undefined && !(condition in this.t.Conditions)) this.found.push(`${at}: no condition ${condition}`);
      this.references(`${at}/${key}`, x);
    }
  }

  private name(at: string, name: string): void {
    if (!name.startsWith('AWS::') && !(name in this.t.Parameters) && !(name in this.t.Resources)) this.found.push(`${at}: no ${name}`);
  }

  private attribute(at: string, [id, name]: [string, string]): void {
    const r = this.t.Resources[id];
    if (!r) this.found.push(`${at}: no ${id}`);
    else if (!this.spec(r.Type)?.attributes[name]) this.found.push(`${at}: ${r.Type} has no attribute ${name}`);
  }
}

function isFunction(v: unknown): boolean {
  const keys = typeof v === 'object' && v !== null ? Object.keys(v) : [];
  return keys.length === 1 && (keys[0] === 'Ref' || keys[0]!.startsWith('Fn::'));
}
