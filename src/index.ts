export type { Instant } from './model.ts';
