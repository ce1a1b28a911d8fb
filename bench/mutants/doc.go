// Command mutants plants mistakes in the detector, and in the simulated shell
// around it, one at a time, and says which seed of the simulation (bench/sim)
// finds each. What none finds is a hole in the simulation.
package main
