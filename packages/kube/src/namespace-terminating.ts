import { ApiError } from './client.ts'

/** Whether the API refuses to create something because its namespace is on its way out (admission NamespaceLifecycle). */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.code === 403 &&
    error.message.includes('because it is being terminated')
  )
}
