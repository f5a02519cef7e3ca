export { type Range, Ranges } from '@chapar/core';
