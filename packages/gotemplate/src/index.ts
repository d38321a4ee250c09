export { formatFloat } from './float.ts'
export type { HostFunction } from './host.ts'
export type { TemplateProblem } from './problem.ts'
export type { Mode } from './run.ts'
export {
  type Executed,
  type ExecuteOptions,
  execute,
  type Functions,
  type Parsed,
  parse,
  referencedFields,
  type Template,
  timeVariable,
} from './template.ts'
