/** Time in tests: the clock that simulations run on. */
export { settled, VirtualClock as FakeClock } from '../../src/simulate/virtual-clock.ts';
