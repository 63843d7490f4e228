/** The one door to tfjs: core ops with all gradients registered. No other file imports a tfjs package, engine's backends aside. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
export * from '@tensorflow/tfjs-core';
