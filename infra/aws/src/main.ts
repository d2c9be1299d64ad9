import { makeApp } from './app.js';

makeApp().synth();
