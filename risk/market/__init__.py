"""What prices did: histories of factors, their returns, covariances and volatilities."""
