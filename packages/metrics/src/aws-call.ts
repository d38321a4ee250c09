import { beforeDeadline } from './before-deadline.ts'
import type { MeasureInput } from './provider.ts'

/** Error of the SDK, as far as it has one. */
interface SdkError {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
  readonly $response?: { readonly statusCode?: number }
  readonly $fault?: string
}

/**
 * The answer of a service of AWS before the measurement's deadline, through which the SDK would sleep between two tries. Failures read as upstream's SDK words them:
 * `operation error CloudWatch: GetMetricData, …`.
 */
export async function awsCall<T>(
  { signal }: Pick<MeasureInput, 'signal'>,
  operation: string,
  call: Promise<T>,
): Promise<T> {
  try {
    return await beforeDeadline(signal, call)
  } catch (cause) {
    throw new Error(`operation error ${operation}, ${causeText(cause)}`, { cause })
  }
}

function causeText(cause: unknown): string {
  const error = cause as SdkError
  const { httpStatusCode, requestId = '' } = error.$metadata ?? {}
  const status = httpStatusCode ?? error.$response?.statusCode
  if (status === undefined) return error.message ?? String(cause)
  // The SDK adds advice for programmers to what a parser said.
  const [message] = (error.message ?? '').split('\n')
  const what = error.$fault
    ? `api error ${error.name}: ${message}`
    : `deserialization failed, ${message}`
  return `https response error StatusCode: ${status}, RequestID: ${requestId}, ${what}`
}
