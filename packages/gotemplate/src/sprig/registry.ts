import type { GoFunction } from '../value.ts'
import { CRYPTO_FUNCTIONS, LEFT_OUT_FUNCTIONS } from './crypto.ts'
import { DATE_FUNCTIONS } from './dates.ts'
import { DEFAULT_FUNCTIONS } from './defaults.ts'
import { ENCODING_FUNCTIONS } from './encoding.ts'
import { JSON_FUNCTIONS } from './json-functions.ts'
import { LIST_FUNCTIONS } from './lists.ts'
import { MAP_FUNCTIONS } from './maps.ts'
import { NUMBER_FUNCTIONS } from './numbers.ts'
import { PATH_FUNCTIONS } from './paths.ts'
import { RANDOM_FUNCTIONS } from './random.ts'
import { REGEX_FUNCTIONS } from './regex.ts'
import { STRING_FUNCTIONS } from './strings.ts'
import { URL_FUNCTIONS } from './urls.ts'
import { VERSION_FUNCTIONS } from './versions.ts'

/** sprig 3.3.0's text functions but `env` and `expandenv` (spec notifications 6.7). */
export const SPRIG_FUNCTIONS: ReadonlyMap<string, GoFunction> = new Map(
  Object.entries({
    ...STRING_FUNCTIONS,
    ...RANDOM_FUNCTIONS,
    ...NUMBER_FUNCTIONS,
    ...DATE_FUNCTIONS,
    ...DEFAULT_FUNCTIONS,
    ...JSON_FUNCTIONS,
    ...LIST_FUNCTIONS,
    ...MAP_FUNCTIONS,
    ...PATH_FUNCTIONS,
    ...ENCODING_FUNCTIONS,
    ...REGEX_FUNCTIONS,
    ...VERSION_FUNCTIONS,
    ...URL_FUNCTIONS,
    ...CRYPTO_FUNCTIONS,
    ...LEFT_OUT_FUNCTIONS,
  }),
)
