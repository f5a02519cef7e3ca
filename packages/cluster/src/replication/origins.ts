export { type Origin, type OriginRow, Origins, type Provenance } from '@chapar/core';
