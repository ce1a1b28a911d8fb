package main

// mutants returns every mistake that the simulation has to find.
func mutants() []mutant {
	return append(ofFacts(), append(ofRules(), append(ofOrders(), append(ofSayings(), append(ofFeeds(), ofState()...)...)...)...)...)
}
